"""One platform more for a trained model, of which all else is frozen.

In: a checkpoint and events of the new platform; out: a checkpoint that gives the old platforms the
same bits, and the curve of how few events are enough. Imports training and what is below it.
"""
