"""Baselines that live: counted up to the ranked event, whatever the split calls training.

In: a split, and what may be counted; out: scores from everything strictly before a case.
May import: the rest of ``baselines`` and what lies below it.
"""
