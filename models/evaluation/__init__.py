"""Bundles and baselines ranked under a protocol: which entries, which cases, which results.

In: entries by name (``entries``) and a split; out: ranks and metrics of each case (``results``,
``run``), a bundle stepped as the worker steps it (``served``). Imports all rooms of models
but report, studies and cli; no torch is needed for a bundle.
"""
