"""Torch to ONNX: graphs, their halves, their parity with torch, and the bundle's folder.

In: a ``Checkpoint``; out: a bundle as ``models.contract`` describes it. Imports models up to
``models.evaluation``.
"""
