"""Record batches on their way out: one producer, and what it acknowledged.

In: keys and values; out: acknowledged records.
May import: ``log``, ``errors``.
"""
