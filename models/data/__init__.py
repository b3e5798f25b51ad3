"""Event files of every format, read into one table of numpy columns; free of torch.

In: a folder or file (``read_events`` finds the format out); out: an ``EventTable``, and training
sequences cut from one. Imports the contract and the errors alone.
"""

from models.data.read import FORMATS, detect_format, read_events
from models.data.table import TEST, TRAIN, VALIDATION, EventTable, ItemList, shuffle_ties

__all__ = [
    "FORMATS",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "EventTable",
    "ItemList",
    "detect_format",
    "read_events",
    "shuffle_ties",
]
