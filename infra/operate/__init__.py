"""Commands on a deployed stage: administrators, deletion of a customer's data, restoring, destroying.

Nothing here may import the emulated AWS or the local run.
"""
