"""A world to test against: people whose interests drift on three platforms.

In: a seed; out: events, links, and the truth about interests.
May import: nothing of ours.
"""
