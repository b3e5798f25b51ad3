"""The rules of the log's records: one file for each kind, with all that happens at it.

In: a record, where it stands, and the batch at work; out: changed rows and further effects.
May import: ``update.batch``, ``update.plain_path`` and what lies below ``update``; another rule
where the same happens.
"""
