"""From events to a trained model: batches, loss, early stopping, bridge, labels.

In: a split, sizes and settings (``fit``), or a table and the options of ``train`` (``train``); out:
a ``Checkpoint``. The loss is in ``loss``, how long to train in ``fit``. Imports objectives and what
is below it.
"""
