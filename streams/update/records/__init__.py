"""The rules of the log's records: one file for each kind, with all that happens at it.

In: a record, where it stands, and the batch at work; out: changed rows and further effects.
May import: ``update.batch`` and what lies below ``update``; other rules only to do the same.
"""
