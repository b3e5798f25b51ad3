"""Everything around the service that isn't product logic."""
