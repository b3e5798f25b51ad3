"""Who a user is and what of it may be used: links, merges, consent, views, erasure.

In: records about ids and wishes; out: rows merged, cut or emptied, and what others must be told.
May import: ``inference`` and what lies below it.
"""
