"""From states to messages: migrated vectors, labels, shares, encodings, tombstones.

In: the rows that a batch changed; out: records of the vector topics.
May import: ``identity`` and what lies below it, ``subscribe.schema``.
"""
