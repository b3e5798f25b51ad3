"""What happens when partitions come and go: see home, let go, shut out, take up, stay alive.

In: which partitions are ours from now on; out: nothing of the others' is left on its way.
May import: ``intake.dead_letters``, ``update.source_marks``; of ``runtime`` ``sending``.
"""
