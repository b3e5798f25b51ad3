"""The live service: from a platform's event to another platform's interest vector.

In: click, browse and purchase topics of every platform; out: a vector topic for each target.
May import: ``models`` (what is free of torch).
"""
