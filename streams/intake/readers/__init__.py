"""One reader for each kind of source topic: events, links, consent, erasures, items.

In: a record of a topic; out: records of the log, or a dead letter.
May import: the rest of ``intake``, ``log``, ``identity``, ``settings``, ``errors``.
"""
