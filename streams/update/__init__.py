"""One batch of the log, from records to effects: ``dispatcher`` goes through it from end to end.

In: log batches and a store to read from; out: ``effects``. No I/O beside, no clock. What happens
at a record of each kind is a file in ``records``; users come into memory in ``loading``.
May import: ``publish`` and what lies below it.
"""
