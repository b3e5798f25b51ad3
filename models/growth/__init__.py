"""A new platform for a trained model, and how few of its data are enough."""
