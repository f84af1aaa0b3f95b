"""What each side does for an operation: a module a side, imported only in that side's environment.

`operations()` maps the name of an operation to a function that prepares it and returns what is timed.
"""
