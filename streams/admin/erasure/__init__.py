"""What is left of an erased user: every topic of the service looked through.

In: an id, and the records of the topics; out: findings, each with a verdict, and their sum.
May import: ``runtime``, ``intake``, ``windows``, ``log``, ``subscribe.schema``, ``settings``.
"""
