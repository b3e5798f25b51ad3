"""What comes in: the event contract, checks, keys, dead letters. Pure; no Faust, no I/O.

In: records of the platforms' topics; out: records of the log, or dead letters.
May import: ``log``, ``identity`` (consent's words), ``settings``, ``errors``, ``models.contract``.
"""
