"""What so many people need: machines, disks, partitions.

In: a benchmark's report, and who uses the service; out: plans, the tables of docs/scale.md.
May import: ``streams.settings``.
"""
