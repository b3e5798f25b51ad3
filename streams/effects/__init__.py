"""What a batch wants done, as data, and in which order that is done.

In: what the update decides; out: what ``runtime.pipelines`` sends and writes.
May import: ``log``.
"""
