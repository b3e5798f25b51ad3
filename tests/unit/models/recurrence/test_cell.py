import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models.config import ModelConfig
from models.recurrence.cell import Cell, Events, SequenceDropout, recur, scan

CONFIG = ModelConfig(dim=8, hidden=6, title_dim=4)


def make_cell() -> Cell:
    torch.manual_seed(0)
    cell = Cell(CONFIG, platforms=3, actions=6)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return cell


def random_events(users: int, count: int, seed: int = 0) -> Events:
    rng = torch.Generator().manual_seed(seed)
    return Events(
        torch.randn(users, count, CONFIG.item_dim, generator=rng),
        torch.randint(0, 3, (users, count), generator=rng),
        torch.randint(0, 6, (users, count), generator=rng),
        torch.rand(users, count, generator=rng) ** 4 * 1e7,
    )


@torch.no_grad()
@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 20), st.integers(0, 100))
def test_one_step_at_a_time_is_the_whole_sequence(users: int, count: int, seed: int) -> None:
    cell, events = make_cell(), random_events(users, count, seed)
    states = cell.sequence(events, nn.Identity())
    state = torch.zeros(users, CONFIG.state_size)
    for t in range(count):
        state = cell.step(state, Events(*(column[:, t] for column in events)))
        torch.testing.assert_close(state, states[:, t], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_scan_is_recur_over_time() -> None:
    decay, value = torch.rand(2, 5, 3), torch.randn(2, 5, 3)
    h = torch.zeros(2, 3)
    for t in range(5):
        h = recur(h, decay[:, t], value[:, t])
    torch.testing.assert_close(scan(decay, value)[:, -1], h)


@torch.no_grad()
@pytest.mark.parametrize("field", ["item", "platform", "action", "dt"])
def test_every_input_counts(field: str) -> None:
    cell, events = make_cell(), random_events(1, 4)
    changed = getattr(events, field).clone()
    changed[0, 2] = (changed[0, 2] + 1) % 3 if field == "platform" else changed[0, 2] * 0 + 2
    before = cell.sequence(events, nn.Identity())
    after = cell.sequence(events._replace(**{field: changed}), nn.Identity())
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 3], after[:, 3], atol=1e-6)


@torch.no_grad()
def test_the_past_fades_with_time_and_no_gap_makes_a_nan() -> None:
    cell, events = make_cell(), random_events(1, 2)
    other = events._replace(item=torch.cat([-events.item[:, :1], events.item[:, 1:]], dim=1))
    apart = []
    for gap in (0.0, 86_400.0, 3e7, 3e10, 3e38):
        late = torch.tensor([[0.0, gap]])
        states = [cell.sequence(e._replace(dt=late), nn.Identity())[0, 1] for e in (events, other)]
        assert torch.isfinite(states[0]).all()
        memories = [state[: 2 * CONFIG.hidden] for state in states]
        apart.append(float((memories[0] - memories[1]).abs().sum()))
    assert apart[0] > apart[2] > apart[4]


def test_extreme_rates_train_without_nan() -> None:
    cell, events = make_cell(), random_events(2, 6)
    with torch.no_grad():
        cell.first.time_rate.fill_(1e3)
        cell.second.time_rate.fill_(-1e3)
    cell.read(cell.sequence(events, nn.Identity()), nn.Identity()).sum().backward()
    for name, parameter in cell.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


def test_dropout_keeps_one_mask_for_a_sequence_and_rests_in_evaluation() -> None:
    drop, x = SequenceDropout(0.5), torch.ones(4, 7, 64)
    dropped = drop(x)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert {0.0, 2.0} == set(dropped.unique().tolist())
    assert torch.equal(drop.eval()(x), x)
