"""Something to run against: an embedded broker, a simulated world, replays, the demo."""
