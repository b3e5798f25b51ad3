"""One batch of the log, from records to effects: plain path, general path, source marks.

In: log batches and a store to read from; out: ``effects``. No I/O beside, no clock.
May import: ``publish`` and what lies below it.
"""
