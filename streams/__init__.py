"""The live service: from a platform's event to another platform's interest vector."""
