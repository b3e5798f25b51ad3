"""The dead-letter topic as the worker needs it: looked up, swept of erased ids.

In: the topic; out: which letters it has.
May import: ``intake.dead_letters``, ``effects``; of ``runtime`` ``sending`` and ``transport``.
"""
