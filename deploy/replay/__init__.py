"""Real events through a real Kafka, live held against offline.

In: a public dataset; out: a report of both hit rates, and of what was lost.
May import: ``streams.demo``, ``streams.subscribe``, ``models``.
"""
