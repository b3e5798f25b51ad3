"""How good the vectors are while they are served: where the item of the next event ranks.

In: a sample of events, put aside with their users' rows as they were; out: ranks of their items
by the bundle's vectors, by popularity, and by a shadow bundle's.
May import: ``update`` and what lies below it.
"""
