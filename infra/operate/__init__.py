"""Commands on a deployed stage: create an admin, delete a customer's data, restore a table, delete the stage.

Nothing here may import the emulated AWS or the local run.
"""
