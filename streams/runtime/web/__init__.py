"""HTTP on Faust's web server: health, metrics, look-ups of one user.

In: requests; out: JSON and Prometheus text.
May import: ``update`` and what lies below it.
"""
