"""Faust at the door: app, agents, transport, table, publishing."""
