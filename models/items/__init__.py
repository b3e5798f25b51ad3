"""Item vectors and what they are made of: titles, ids, the trend of what is taken up.

In: a catalogue and training events; out: input and output vectors, title encoders, counts of recent
events. ``projector`` and ``trend`` are free of torch, as serving uses them. Imports protocols and
data.
"""
