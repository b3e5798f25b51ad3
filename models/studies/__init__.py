"""Whole runs on a dataset: a training with its bundle, and many beside each other.

Seeds, ablations and sizes (``plan``, ``variants``, ``jobs``, ``study``), growth curves, and the
forms of one model (float32, int8: ``forms``, ``compare_forms``). In: events and options; out:
bundles, logs, reports. Imports everything of models but the commands, and export.
"""
