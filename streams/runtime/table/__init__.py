"""Faust's table taught about batches, and the RocksDB store behind it.

In: the changelog; out: one value for each user, local id or mark.
May import: ``errors``; of ``runtime`` ``transport``.
"""
