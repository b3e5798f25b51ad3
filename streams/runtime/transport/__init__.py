"""A Faust transport of partition batches: what is fetched, from where, and committed.

In: fetched record batches; out: one message for each, its records as columns.
May import: ``intake.dead_letters``; of ``runtime`` ``rebalance``.
"""
