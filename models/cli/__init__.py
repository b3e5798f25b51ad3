"""The commands train, evaluate, study and export: arguments and a call, nothing else.

In: a command line; out: an exit code. May import everything of models and export.
"""
