"""Tests: the folders under unit/ mirror the tree; kafka/, integration/ and e2e/ need brokers."""
