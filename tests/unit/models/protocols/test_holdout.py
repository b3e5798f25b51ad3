import numpy as np
import pytest

from models.errors import DataError
from models.protocols import last_out, split_for
from tests.people import people_table


def test_by_default_each_users_last_event_validates_and_nothing_tests() -> None:
    table = people_table(users=5, events=4)
    split = last_out(table)
    assert not len(split.test)
    assert split.validation.row.tolist() == [3, 7, 11, 15, 19]
    assert np.array_equal(np.flatnonzero(~split.train), split.validation.row)


def test_a_protocol_keeps_its_test_events_out() -> None:
    split = split_for(people_table(users=5, events=4), "abxi", 0)
    assert not split.train[split.test.row].any()


def test_unknown_protocols_and_too_few_events_are_named() -> None:
    with pytest.raises(DataError, match="protocol 'x' isn't known"):
        split_for(people_table(users=2), "x", 0)
    with pytest.raises(DataError, match="users of at least 3 events"):
        split_for(people_table(users=3, events=2), None, 0)
