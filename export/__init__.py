"""Torch to ONNX, parity, measurements, and the bundle that the worker loads."""
