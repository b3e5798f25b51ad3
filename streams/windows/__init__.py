"""A user's rolling window: the ring, late events, duplicates, snapshots, the stored value.

In: events as columns; out: rows of the slab, byte for byte what is stored.
May import: ``bundles`` (items by hash), ``log``, ``errors``, ``models.contract``.
"""
