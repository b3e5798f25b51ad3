"""What so many people need: machines, disks, partitions."""
