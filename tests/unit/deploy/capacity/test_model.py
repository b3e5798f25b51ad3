"""The capacity model: it follows its inputs, and the simulated spread of users."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deploy.capacity.measured import Measured
from deploy.capacity.plan import Service, plan
from deploy.capacity.skew import RANKS, hottest_partition, hottest_user, total_weight

MEASURED = Measured(
    update_us=20.0,
    target_us=2.0,
    intake_us=10.0,
    broker_us=5.0,
    row_bytes=1_800.0,
    store_bytes=2_000.0,
    recover_us=10.0,
    base_mb=200.0,
    user_mb=200.0,
    one_step_us=50.0,
)


def test_what_an_event_costs_is_what_cores_there_are() -> None:
    # 50 million × 0.2 × 20 / 86,400 × 4 = 9,259 events/s, 34 µs each, cores 60% busy
    found = plan(Service(users=50e6), MEASURED)
    assert found.service.peak_rate == pytest.approx(9_259, rel=1e-3)
    assert found.cores == pytest.approx(9_259 * 34e-6 / 0.6, rel=1e-3)
    assert found.partitions >= 2 * found.workers


def test_recovery_and_disks_are_shared_by_the_workers() -> None:
    one, four = (plan(Service(users=10e6, workers=n), MEASURED) for n in (1, 4))
    assert one.recovery_s == pytest.approx(100.0)
    assert one.recovery_s == pytest.approx(4 * four.recovery_s)
    assert one.worker_disk_gb == pytest.approx(4 * four.worker_disk_gb)


def test_more_platforms_cost_more_bytes_and_cores() -> None:
    few, many = (plan(Service(users=1e8, platforms=n), MEASURED) for n in (2, 10))
    assert many.cores > few.cores
    assert many.broker_in_mbs > few.broker_in_mbs
    assert many.broker_disk_gb > few.broker_disk_gb


def test_a_cost_has_no_meaning_below_two_workers() -> None:
    small, large = (plan(Service(users=n), MEASURED) for n in (1e6, 5e8))
    assert small.workers == 2
    assert small.dollars_per_million > 10 * large.dollars_per_million


def test_the_nearest_limit_comes_first() -> None:
    service = Service(users=1e8, skew=1.2)
    found = plan(service, MEASURED)
    assert [x.load for x in found.limits] == sorted((x.load for x in found.limits), reverse=True)
    calm = plan(replace(service, skew=0.5), MEASURED)
    by_name = [{x.what: x.load for x in p.limits} for p in (calm, found)]
    hot = "the busiest user's events, one after the other"
    assert by_name[0][hot] < 0.01 < by_name[1][hot]


@pytest.mark.parametrize("skew", [0.8, 1.0, 1.1, 1.3])
def test_the_weight_of_all_users_is_that_of_their_sum(skew: float) -> None:
    users = 3 * RANKS
    whole = float((np.arange(1, users + 1, dtype=np.float64) ** -skew).sum())
    assert total_weight(users, skew) == pytest.approx(whole, rel=1e-4)
    assert hottest_user(users, skew) == pytest.approx(1 / whole, rel=1e-4)


def test_partitions_even_out_where_users_are_alike_and_not_where_one_is_hot() -> None:
    assert hottest_partition(1e6, 16, 0.0) == pytest.approx(1 / 16, rel=0.02)
    assert hottest_partition(1e6, 16, 1.3) > hottest_user(1e6, 1.3)
