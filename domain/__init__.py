"""The rules of the product: plain Python over frozen values.

Nothing here knows AWS, HTTP, a clock or an environment; time, ids and randomness come in as
arguments.
"""
