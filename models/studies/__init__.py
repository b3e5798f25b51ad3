"""Several trainings beside each other: seeds, ablations, sizes, growth."""
