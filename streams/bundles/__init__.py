"""A bundle's folder: verified, opened, its items looked up.

In: the folder that training wrote; out: graphs, contract, labels, item vectors.
May import: ``log``, ``errors``, ``models`` (what is free of torch).
"""
