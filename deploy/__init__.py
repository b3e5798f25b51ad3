"""Everything around the service that isn't product logic.

In: the service as it is; out: images, dashboards, alerts, a Kafka from its jars, replays, plans.
May import: everything; nothing of ours but tests imports it.
"""
