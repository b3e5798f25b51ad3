"""The network: the recurrent cell, a head for every target, and the references it is held against.

In: item vectors and events; out: states and interest vectors. Imports items and what is below it.
"""
