"""The model side: from a table of events to a trained, measured network.

Rooms: ``data``, ``protocols``, ``metrics``, ``items``, ``recurrence``, ``objectives``,
``training``, ``growth``, ``baselines``, ``evaluation``, ``report``, ``studies``, ``cli``, each of
which imports only those before it; ``contract``, ``labels``, ``errors`` are what serving shares.
"""
