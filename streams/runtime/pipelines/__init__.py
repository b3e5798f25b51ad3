"""Intake and update on Kafka: a batch computed while the last is being acknowledged.

In: fetched batches; out: everything sent, stored and ready to be committed, in that order.
May import: the packages below ``runtime``; of it ``dead_letters``, ``rebalance``, ``sending``,
``table`` and ``transport``.
"""
