"""Tests: unit/ mirrors the tree, integration/ joins rooms; kafka/ and e2e/ need brokers."""
