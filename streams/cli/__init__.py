"""The command line: one file for each command, nothing but its arguments and a call.

In: words; out: an exit code.
May import: everything below.
"""
