"""From events to a trained model: batches, loss, early stopping, bridge, labels."""
