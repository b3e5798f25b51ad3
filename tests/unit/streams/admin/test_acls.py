"""The least rights of each role, as data and as a script (at a broker: tests/kafka)."""

from __future__ import annotations

import re
import subprocess

import pytest

from streams.admin.acls import Right, kafka_acls, principals, rights, warnings
from streams.errors import SettingsError
from streams.settings import parse_settings

PLATFORMS = [{"name": "video"}, {"name": "shop", "ids": "linked"}]


def of(role: str, **sections: object) -> set[tuple[str, str, tuple[str, ...]]]:
    settings = parse_settings({"platforms": PLATFORMS, **sections})
    return {(r.kind, r.name, r.operations) for r in rights(settings) if r.role == role}


def test_a_recommender_reads_its_own_vectors_and_nothing_else() -> None:
    assert of("recommender:shop") == {("topic", "interest.vectors.shop", ("Read",))}


def test_a_producer_writes_its_own_topics_and_reads_nothing() -> None:
    names = ("browse", "click", "purchase", "items", "links")
    assert of("producer:shop") == {("topic", f"shop.{name}", ("Write",)) for name in names}


def test_the_worker_creates_topics_only_where_it_may() -> None:
    for made in (True, False):
        operations = {o for _, _, os in of("worker", kafka={"create_topics": made}) for o in os}
        assert ("Create" in operations) is made
        assert operations >= {"Read", "Write"}
    names = {name for kind, name, _ in of("worker") if kind == "transactional-id"}
    assert names == {"interest-stream-users-"}
    assert not [k for k, _, _ in of("worker", kafka={"fencing": False}) if k == "transactional-id"]


def test_one_topic_for_all_targets_can_t_be_kept_apart_and_it_says_so() -> None:
    shared = parse_settings({"platforms": PLATFORMS, "output": {"topic": "all"}})
    assert "no ACL can keep them apart" in warnings(shared)[0]
    assert warnings(parse_settings({"platforms": PLATFORMS})) == []


def test_principals_are_named_after_their_roles_unless_told_otherwise() -> None:
    kafka = {"security_protocol": "SASL_SSL", "username": "w", "password_file": "x"}
    settings = parse_settings({"platforms": PLATFORMS, "kafka": kafka})
    named = principals(settings, ["producer:shop=User:shop team"])
    assert (named["worker"], named["producer:shop"]) == ("User:w", "User:shop team")
    assert named["recommender:video"] == "User:recommender-video"
    for wrong in ("producer:radio=User:x", "producer:shop", "producer:shop=shop"):
        with pytest.raises(SettingsError, match="ROLE=User:NAME"):
            principals(settings, [wrong])


def test_the_script_is_a_shell_script_that_quotes_what_it_must() -> None:
    wanted = [
        Right("worker", "topic", "a.b", ("Read", "Write")),
        Right("worker", "transactional-id", "a-users-", ("Write",), prefixed=True),
    ]
    script = "\n".join(kafka_acls(wanted, {"worker": "User:it's me"}, ["b:1", "c:2"]))
    shown = "kafka_acls() { for word; do printf '<%s>' \"$word\"; done; echo; }\n" + script.replace(
        "kafka-acls.sh", "kafka_acls"
    )
    done = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    common = "<--bootstrap-server><b:1,c:2><--add><--allow-principal><User:it's me>"
    assert first == f"{common}<--operation><Read><--operation><Write><--topic><a.b>"
    assert second.endswith("<--transactional-id><a-users-><--resource-pattern-type><prefixed>")
    assert re.search(r"(?m)^# worker$", script)
