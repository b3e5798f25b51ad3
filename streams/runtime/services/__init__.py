"""What runs beside the agents: progress, watchdog, live quality, items, memory.

In: what the app knows; out: metrics, readiness, an end where something stands still.
May import: the packages below ``runtime``; of it everything but ``app``, ``worker`` and ``web``.
"""
