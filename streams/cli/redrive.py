"""``interest-stream redrive``: send records from the dead letters to where they came from."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from streams.errors import BrokerError, SettingsError, TopicError
from streams.intake.letters import dead_letter
from streams.intake.letters.dead_letter import DeadLetter
from streams.intake.letters.redrive import Plan, Redriven, Wanted, plan
from streams.intake.readers.base import REFUSED
from streams.intake.reasons import REJECTED
from streams.runtime.worker import config_path
from streams.settings import Settings, load_settings

POLL_MS = 500
SEND_TIMEOUT_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--config", metavar="FILE", help="settings, as of the worker")
    parser.add_argument(
        "--platform", action="append", default=[], help="of this platform only (repeatable)"
    )
    parser.add_argument(
        "--reason", action="append", default=[], choices=sorted(REJECTED), metavar="REASON",
        help="rejected for this reason only (repeatable), e.g. from_future",
    )  # fmt: skip
    parser.add_argument("--field", help="with this field at fault only, e.g. time")
    parser.add_argument("--since", metavar="TIME", help="rejected from then on, RFC 3339")
    parser.add_argument("--until", metavar="TIME", help="rejected before then, RFC 3339")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N of them")
    parser.add_argument(
        "--compacted", action="store_true",
        help="also links and items, which then go over whatever was sent for their keys since",
    )  # fmt: skip
    parser.add_argument("--send", action="store_true", help="do it; without this, only say what")


def run(args: argparse.Namespace) -> int:
    """Say what would be sent again, and with ``--send`` send it; 0.

    Raises:
        BrokerError: the broker doesn't answer, or refuses.
        SettingsError: a time can't be read, or there is no such platform.
        TopicError: there are no dead letters, because their topic doesn't exist.
    """
    settings = load_settings(config_path(args.config))
    made = plan(
        _read(settings),
        _wanted(args, settings),
        settings.event_topics(),
        [*settings.link_topics(), *settings.item_topics()],
    )
    if args.limit is not None:
        del made.records[args.limit :]
    print("\n".join(report(made, sent=args.send)))
    if args.send and made.records:
        _send(settings, made.records)
        print(f"sent {len(made.records)}; each counts once, however often it is sent again")
    return 0


def report(made: Plan, *, sent: bool) -> Iterator[str]:
    """What is to be sent, by topic and reason, and what isn't."""
    for (topic, reason), count in sorted(made.counts.items()):
        yield f"{count:>8}  {topic}  {reason}"
    for why, count in made.left_out.most_common():
        yield f"{count:>8}  left out: {why}"
    yield f"{made.others:>8}  not asked for"
    if not sent:
        yield f"{len(made.records)} would be sent; add --send to do it"


def _wanted(args: argparse.Namespace, settings: Settings) -> Wanted:
    unknown = sorted(set(args.platform) - set(settings.platform_names()))
    if unknown:
        raise SettingsError(
            f"--platform {unknown[0]!r}: there are {', '.join(settings.platform_names())}"
        )
    return Wanted(
        platforms=frozenset(args.platform),
        reasons=frozenset(args.reason),
        field=args.field,
        since_ms=_ms("--since", args.since),
        until_ms=_ms("--until", args.until),
        compacted=args.compacted,
    )


def _ms(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{option} {text!r} isn't a time; write it as 2026-01-31T12:00:00Z"
        ) from error
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def _read(settings: Settings) -> list[DeadLetter]:
    """All letters as the topic is now, those that were taken back left out, the oldest first."""
    topic = settings.deadletter.topic
    letters: dict[bytes | tuple[int, int], DeadLetter] = {}
    with _connected(settings, KafkaConsumer, enable_auto_commit=False) as consumer:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise TopicError(
                f"topic {topic!r} (deadletter.topic) doesn't exist; the worker creates it"
            )
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for tp, records in consumer.poll(timeout_ms=POLL_MS).items():
                for record in records:
                    key = record.key or (tp.partition, record.offset)
                    letters.pop(key, None)
                    if (letter := _letter(record.value)) is not None:
                        letters[key] = letter
    return sorted(letters.values(), key=lambda letter: letter.seen_ms)


def _letter(value: bytes | None) -> DeadLetter | None:
    """A letter; None where it was taken back, or isn't one of ours."""
    try:
        return dead_letter.decode(value) if value else None
    except REFUSED:
        return None


def _send(settings: Settings, records: list[Redriven]) -> None:
    """Send all, and wait until all are acknowledged."""
    with _connected(settings, KafkaProducer, acks="all") as producer:
        sent = [
            producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers))
            for r in records
        ]
        producer.flush(SEND_TIMEOUT_S)
        for future in sent:
            future.get(SEND_TIMEOUT_S)


class _connected:
    """A client of kafka-python for a ``with`` block; its errors say where and what to do."""

    def __init__(self, settings: Settings, make: Callable[..., Any], **options: Any) -> None:
        self._settings = settings
        self._make = make
        self._options = options

    def __enter__(self) -> Any:
        kafka = self._settings.kafka
        try:
            self._client = self._make(
                bootstrap_servers=list(kafka.bootstrap),
                **kafka.connection().python_options(),
                **self._options,
            )
        except KafkaError as error:
            raise self._explained(error) from error
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._client.close()
        if isinstance(error, KafkaError):
            raise self._explained(error) from error

    def _explained(self, error: KafkaError) -> BrokerError:
        kafka = self._settings.kafka
        return BrokerError(
            f"the broker at {', '.join(kafka.bootstrap)} ({kafka.connection().description}) "
            f"doesn't answer or refuses: {error!r}; check the address, and the rights of the "
            "role redrive (interest-stream acls)"
        )
