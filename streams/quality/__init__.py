"""How good the vectors are that are served: cases put aside before an event, judged later.

In: users' rows as they were; out: where the event's item ranked.
May import: ``update`` and what lies below it.
"""
