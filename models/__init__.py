"""The model side: from a table of events to a trained, measured network.

In: event files; out: trained models, bundles (through ``export``) and reports. Rooms: ``data``,
``protocols``, ``metrics``, ``items``, ``recurrence``, ``objectives``, ``training``, ``growth``,
``baselines``, ``evaluation``, ``report``, ``studies``, ``cli``, each of which may import those
before it; ``contract``, ``labels``, ``errors`` are what serving shares.
"""
