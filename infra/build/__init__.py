"""Builds the artifacts: the code of the functions, the layer of their dependencies, bytecode for Lambda's Python."""
