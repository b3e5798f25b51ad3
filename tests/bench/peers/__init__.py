"""The peers: the same job as a good user of each library would write it.

They run in a virtual environment of their own (requirements/bench.lock) and import nothing of
this project but :mod:`tests.bench.peers.job`.
"""
