"""Checks of the template and of the dependencies that no linter offers."""
