"""Something to run against: an embedded broker, a simulated world, replays, the demo.

In: a seed, or a public dataset; out: events on topics, and a picture of what they moved.
May import: ``runtime`` and what lies below it, ``subscribe``, ``models`` (free of torch).
"""
