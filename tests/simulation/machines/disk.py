"""What outlives a process: the local store of each partition, with its changelog position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Disk:
    """Values by key and partition, and the last changelog offset that each stands for."""

    values: dict[int, dict[str, bytes]] = field(default_factory=dict)
    position: dict[int, int] = field(default_factory=dict)

    def get_many(self, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """Stored values."""
        of_partition = self.values.get(partition, {})
        return [of_partition.get(key) for key in keys]

    def scan(self, partition: int, after: str) -> Iterator[tuple[str, bytes]]:
        """Keys and values behind a key, in order."""
        of_partition = self.values.get(partition, {})
        return iter([(k, of_partition[k]) for k in sorted(of_partition) if k > after])

    def put_many(
        self, partition: int, entries: Sequence[tuple[str, bytes | None]], position: int | None
    ) -> None:
        """Write entries, and the last changelog offset that they stand for."""
        values = self.values.setdefault(partition, {})
        for key, value in entries:
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        if position is not None:
            self.position[partition] = position
