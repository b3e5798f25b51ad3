"""``interest-stream erasure prove ID``: what is left of an erased user, topic by topic."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.admin import erasure_traces
from streams.admin.erasure_state_traces import states
from streams.admin.erasure_traces import Finding, Seen, Subject, Verdict
from streams.errors import BrokerError, SettingsError
from streams.intake.readers.erasure import ErasureReader
from streams.runtime.sending.publisher import now_ms
from streams.runtime.topics import changelog_topic
from streams.runtime.worker import config_path
from streams.settings import Settings, load_settings
from streams.subscribe.schema import record_key

FOUND = 1
MEANINGS = {
    Verdict.LEFT: "should be gone",
    Verdict.LATER: "is of after the erasure",
    Verdict.WAITS: "was overwritten or taken back; compaction removes it",
    Verdict.EXPIRES: "goes when the retention ends",
    Verdict.KEPT: "stays by design",
    Verdict.YOURS: "is in a topic that you write",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "action", choices=("prove",), metavar="prove",
        help="read the topics and say what is left of an id; exit code 1 if anything is",
    )  # fmt: skip
    parser.add_argument("id", metavar="ID", help="the user id, or with --platform a local id")
    parser.add_argument("--platform", help="ID is a local id of this platform, of nobody's")
    parser.add_argument(
        "--local", action="append", default=[], metavar="PLATFORM=ID",
        help="a local id that is known to have been the user's; those in the links, the log and "
        "the changelog are found without",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object per finding")
    parser.add_argument("--config", metavar="FILE", help="settings, as of the worker")


def run(args: argparse.Namespace) -> int:
    """Read every topic of the service to its end and report.

    Returns:
        0 where nothing is left that should be gone, 1 where something is.

    Raises:
        BrokerError: a topic can't be read.
        SettingsError: a platform isn't configured.
    """
    settings = load_settings(config_path(args.config))
    subject = _subject(args, settings)
    counts: Counter[Verdict] = Counter()
    for finding in prove(settings, subject):
        counts[finding.verdict] += 1
        print(_line(finding, as_json=args.json), flush=True)
    if not args.json:
        print(_summary(subject, counts))
    return FOUND if counts[Verdict.LEFT] else 0


def _subject(args: argparse.Namespace, settings: Settings) -> Subject:
    known = settings.platform_names()
    pairs = [tuple(text.partition("=")[::2]) for text in args.local]
    pairs += [(args.platform, args.id)] if args.platform else []
    for platform, identity in pairs:
        if platform not in known or not identity:
            raise SettingsError(
                f"{platform!r} with the id {identity!r} can't be looked for; name one of the "
                f"platforms {', '.join(known)}, and an id"
            )
    return Subject("" if args.platform else args.id, set(pairs))


def prove(settings: Settings, subject: Subject) -> Iterator[Finding]:
    """Findings of all topics; those that name local ids are read first.

    Raises:
        BrokerError: a topic can't be read.
    """
    topics = Topics(settings)
    try:
        orders = topics.read(settings.erasure.topic)
        yield from erasure_traces.erasures(orders, subject, ErasureReader(settings), now_ms())
        yield from erasure_traces.wishes(topics.read(settings.consent.topic), subject)
        for topic, platform in settings.link_topics().items():
            yield from erasure_traces.links(topics.read(topic), platform, subject)
        days = settings.events.retention_days
        yield from erasure_traces.log_records(topics.read(settings.events.topic), subject, days)
        yield from states(topics.read(changelog_topic(settings)), subject)
        for target, topic in settings.output_topics().items():
            keys = _vector_keys(settings, target, subject)
            yield from erasure_traces.vectors(topics.read(topic), target, keys, subject)
        yield from erasure_traces.letters(topics.read(settings.deadletter.topic), subject)
    finally:
        topics.close()


def _vector_keys(settings: Settings, target: str, subject: Subject) -> set[bytes]:
    """Keys of the user's vectors for a target."""
    ids = [local for platform, local in subject.locals if platform == target]
    ids += [subject.user] if settings.platform(target).ids == "shared" and subject.user else []
    return {record_key(target, one, shared=settings.output.single_topic) for one in ids}


class Topics:
    """Reads topics from their beginning to where they end now.

    Args:
        settings: the worker's.

    Raises:
        BrokerError: no broker answers.
    """

    def __init__(self, settings: Settings) -> None:
        self._where = ", ".join(settings.kafka.bootstrap)
        try:
            self._consumer = KafkaConsumer(
                bootstrap_servers=list(settings.kafka.bootstrap),
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                **settings.kafka.connection().python_options(),
            )
        except KafkaError as error:
            raise BrokerError(
                f"no broker answers at {self._where} (kafka.bootstrap): {error}"
            ) from error

    def read(self, topic: str) -> Iterator[Seen]:
        """Every record of a topic.

        Raises:
            BrokerError: it doesn't exist or can't be read.
        """
        consumer = self._consumer
        try:
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                raise BrokerError(
                    f"topic {topic!r} isn't at {self._where}; nothing can be said about it"
                )
            partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            while any(consumer.position(tp) < ends[tp] for tp in partitions):
                for tp, records in consumer.poll(timeout_ms=1000).items():
                    for r in records:
                        if r.offset < ends[tp]:
                            yield Seen(
                                topic, tp.partition, r.offset, r.timestamp, r.key, r.value,
                                tuple(r.headers),
                            )  # fmt: skip
        except KafkaError as error:
            raise BrokerError(
                f"topic {topic!r} at {self._where} can't be read: {error!r}; look at the "
                "principal's rights"
            ) from error

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def _line(finding: Finding, *, as_json: bool) -> str:
    verdict, topic, partition, offset, what = finding
    if as_json:
        return json.dumps({**finding._asdict(), "verdict": verdict.value})
    return f"{verdict.value:8}{topic}-{partition}@{offset}  {what}"


def _summary(subject: Subject, counts: Counter[Verdict]) -> str:
    who = subject.user or " ".join("/".join(local) for local in sorted(subject.locals))
    told = [f"{n} {verdict.value} ({MEANINGS[verdict]})" for verdict, n in counts.items()]
    lines = [f"{who}: " + ("; ".join(told) if told else "nothing is known of this id")]
    if subject.user and subject.locals:
        ids = ", ".join("/".join(local) for local in sorted(subject.locals))
        lines.append(f"local ids that were looked for: {ids}")
    lines.append("not looked at: the platforms' own topics (events, links' older records)")
    clean = "clean" if not counts[Verdict.LEFT] else "NOT clean"
    return "\n".join([*lines, f"{clean}: {counts[Verdict.LEFT]} left"])
