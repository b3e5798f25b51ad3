"""Who a user is and what of it may be used: ids, pointers, histories that merge, consent's views.

In: ids, wishes and rows; out: recipients, merged or cut histories, a row for each set of sources.
What a record about them does is said in ``update.records``.
May import: ``inference`` and what lies below it.
"""
