"""Which events train, which are ranked, and against which candidates."""
