"""What an operator asks beside the running service: rights, and what is left of an erased user.

In: settings and topics; out: findings.
May import: ``runtime`` and what lies below it.
"""
