"""`make bench`: this service beside its peers, the same work for each (docs/benchmark.md)."""
