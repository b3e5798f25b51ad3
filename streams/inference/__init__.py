"""The model over users: ONNX Runtime, waves of steps, states brought up to date.

In: events placed in windows; out: new states in the slab.
May import: ``windows``, ``bundles``, ``effects``, ``log``, ``errors``.
"""
