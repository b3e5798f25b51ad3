"""Faust at the door: app, agents, transport, rebalance, table, pipelines, services, web.

In: settings, a bundle and the broker's records; out: the running worker.
May import: every package of ``streams`` below the command line.
"""
