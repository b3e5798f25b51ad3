"""Records of ``interest.events``, the log: keys, records, bytes, partitions.

In: what intake has checked; out: the only input of the update, in one order for each user.
May import: nothing of ours.
"""
