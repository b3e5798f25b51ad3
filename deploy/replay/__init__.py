"""Real events through a real Kafka, live held against offline."""
