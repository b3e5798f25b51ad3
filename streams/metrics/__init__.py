"""Every Prometheus name of the worker: a file for each thing that is measured.

In: counts and seconds; out: what is scraped, and the reference in docs/operations.md.
May import: nothing of ours.
"""
