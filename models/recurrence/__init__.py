"""The network: cell, heads, and the references that are trained but not exported."""
