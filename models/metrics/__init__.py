"""Ranks among candidates, and the figures made of them."""
