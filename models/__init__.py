"""The model: contract, data, recurrence, training, protocols and baselines."""
