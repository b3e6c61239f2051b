"""The rules of the product: plain Python over frozen values.

Nothing here uses AWS, HTTP, the clock or the environment; time, ids and randomness are passed in as arguments.
"""
