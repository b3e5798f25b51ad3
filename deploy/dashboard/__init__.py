"""The Grafana dashboard as code.

In: the names of the worker's metrics; out: the JSON in deploy/grafana.
May import: ``streams.metrics``.
"""
