"""Dead letters: what is wrong with a record and what would be right; sent again on request.

In: a refused record; out: a dead letter, once for each position.
May import: ``errors``, ``intake.reasons``.
"""
