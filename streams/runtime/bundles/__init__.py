"""Bundles while the worker runs: announced, verified, swapped.

In: the bundles topic; out: a bundle ready to compute, put in place of the last.
May import: the packages below ``runtime``; of it ``pipelines``, ``services``, ``sending`` and
``transport``.
"""
