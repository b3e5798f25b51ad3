"""Datasets of two domains without times: CDRIB's pairs and GDCCDR's phone-sport.

A folder holds two folders ``A_B`` and ``B_A``; in the folder ``A_B`` lie the events of
domain A. Train, validation and test are prescribed (``EventTable.part``), all times are 0.
"""

from __future__ import annotations

import re
from pathlib import Path

from models.contract import ACTIONS
from models.data.source import bad, fields, integer, lines
from models.data.table import TEST, TRAIN, VALIDATION, EventTable, TableBuilder
from models.errors import DataError

_PURCHASE = ACTIONS.index("purchase")
_CASE = re.compile(r"\((\d+),(\d+)\)")


def pair_folders(path: Path) -> list[Path]:
    """The two folders ``A_B`` and ``B_A`` of a dataset, in order of name.

    Raises:
        DataError: there aren't two such folders.
    """
    found = sorted(p for p in path.glob("*_*") if p.is_dir())
    if len(found) != 2 or found[0].name.split("_") != found[1].name.split("_")[::-1]:
        names = ", ".join(p.name for p in found) or "none"
        raise DataError(f"{path}: expected two folders A_B and B_A, found {names}")
    return found


def read_cdrib(path: Path) -> EventTable:
    """A cold-start pair of CDRIB (ICDE 2022).

    Users of validation and test have no history in the domain where they are tested. Ids
    up to the highest of those users are the same people in both domains, higher ids are
    different people: for game and video this makes 2,179 people in both, which is also
    the number that agrees with the totals of the dataset's own ``_info`` file
    (25,025 + 19,457 - 2,179 = 42,303).

    Raises:
        DataError: a file is missing, or a line isn't a pair of numbers.
    """
    builder = TableBuilder()
    parts = {"train": TRAIN, "valid": VALIDATION, "test": TEST}
    read = {
        (folder, name): [
            (
                integer(folder / f"{name}.txt", line, "user", user),
                integer(folder / f"{name}.txt", line, "item", item),
            )
            for line, (user, item) in fields(folder / f"{name}.txt", ("user", "item"), "\t")
        ]
        for folder in pair_folders(path)
        for name in parts
    }
    tested = [user for (_, name), rows in read.items() if name != "train" for user, _ in rows]
    shared = max(tested, default=-1) + 1
    for (folder, name), rows in read.items():
        domain = folder.name.split("_")[0]
        _add_catalogue(builder, domain, max((item for _, item in rows), default=-1))
        for user, item in rows:
            person = str(user) if user < shared else f"{domain}/{user}"
            builder.add_event(person, domain, _PURCHASE, str(item), 0, part=parts[name])
    return builder.build()


def read_phone_sport(path: Path) -> EventTable:
    """A pair of GDCCDR: the same users in both domains, 99 given negatives a test case.

    Raises:
        DataError: a file is missing, a line isn't as expected, or a case has no negatives.
    """
    builder = TableBuilder()
    for folder in pair_folders(path):
        domain = folder.name.split("_")[0]
        cases = _read_negatives(folder / "test_neg_99.txt")
        _add_catalogue(builder, domain, max((max(n) for n in cases.values()), default=-1))
        for name, part in (("train", TRAIN), ("test", TEST)):
            file = folder / f"{name}.txt"
            for line, (user, item, _) in fields(file, ("user", "item", "value"), "\t"):
                case = (integer(file, line, "user", user), integer(file, line, "item", item))
                negatives: tuple[int, ...] = ()
                if part == TEST:
                    if case not in cases:
                        raise bad(file, line, "user, item", case, "expected it in test_neg_99.txt")
                    negatives = cases[case]
                _add_catalogue(builder, domain, case[1])
                builder.add_event(user, domain, _PURCHASE, item, 0, part, negatives)
    return builder.build()


def _add_catalogue(builder: TableBuilder, domain: str, highest: int) -> None:
    """Number the items as the dataset does, so that codes and its numbers are the same."""
    for item in range(builder.count_items(domain), highest + 1):
        builder.add_item(domain, str(item))


def _read_negatives(file: Path) -> dict[tuple[int, int], tuple[int, ...]]:
    cases: dict[tuple[int, int], tuple[int, ...]] = {}
    for line, text in lines(file):
        head, *rest = text.split()
        match = _CASE.fullmatch(head)
        if not match:
            raise bad(file, line, "case", head, "expected (user,item)")
        negatives = tuple(integer(file, line, "negative", value) for value in rest)
        cases[int(match[1]), int(match[2])] = negatives
    return cases
