"""The heart, pure: windows, states, waves, identity, the update."""
