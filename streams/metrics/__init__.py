"""Every Prometheus name of the worker, with its buckets and the values of its labels.

In: counts and seconds; out: what is scraped, and the reference in docs/operations.md.
May import: nothing of ours.
"""
