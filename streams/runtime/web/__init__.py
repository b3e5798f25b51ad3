"""HTTP on Faust's web server: health, metrics, look-ups of one user.

In: requests; out: JSON and Prometheus text.
May import: the packages below ``runtime``; of it ``running_app``, ``services.progress`` and
``sending``.
"""
