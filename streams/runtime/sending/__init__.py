"""Record batches on their way out, and the fence that shuts out a partition's former owner.

In: keys and values; out: acknowledged records.
May import: ``log``, ``errors``.
"""
