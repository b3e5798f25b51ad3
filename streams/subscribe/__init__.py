"""The subscriber's side: schema, feed, ranking; needs kafka-python, msgspec, numpy alone.

In: a vector topic; out: vectors as numpy arrays, and items ranked by them.
May import: ``errors``, ``connection``.
"""
