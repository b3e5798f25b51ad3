import pytest
import torch

from models.contract import ACTIONS
from models.errors import ModelError
from models.training.task_weights import LearnedWeights, SetWeights, tasks_of

PURCHASE, BROWSE = ACTIONS.index("purchase"), ACTIONS.index("browse")


def test_alike_changes_nothing() -> None:
    losses = torch.rand(5)
    assert tasks_of("alike")(losses, torch.zeros(5, dtype=torch.int64)) is losses


def test_set_weights_make_a_weighted_mean() -> None:
    tasks = tasks_of("purchase:3,cart:2")
    assert isinstance(tasks, SetWeights)
    losses, action = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([PURCHASE, BROWSE, BROWSE])
    assert float(tasks(losses, action).mean()) == pytest.approx((3 * 1 + 2 + 6) / 5)


def test_a_batch_of_what_weighs_nothing_has_no_loss() -> None:
    tasks = tasks_of("browse:0")
    found = tasks(torch.ones(3), torch.full((3,), BROWSE))
    assert found.tolist() == [0.0, 0.0, 0.0]
    assert tasks(torch.zeros(0), torch.zeros(0, dtype=torch.int64)).shape == (0,)


def test_learned_weights_fall_for_what_stays_hard_and_end_at_its_uncertainty() -> None:
    tasks = tasks_of("learned")
    assert isinstance(tasks, LearnedWeights)
    action = torch.tensor([PURCHASE] * 2 + [BROWSE] * 8)
    losses = torch.where(action == PURCHASE, 1.0, 6.0)
    mean = float(tasks(losses, action).mean().detach())
    assert mean == pytest.approx((1 + 6) / 2), "each task once"
    optimiser = torch.optim.Adam(tasks.parameters(), lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        tasks(losses, action).mean().backward()
        optimiser.step()
    weight = torch.exp(-tasks.log_variance)
    assert float(weight[PURCHASE].detach()) == pytest.approx(1 / 2, rel=0.05)
    assert float(weight[BROWSE].detach()) == pytest.approx(1 / 12, rel=0.05)


def test_what_is_no_weight_is_named() -> None:
    for text in ("purchase", "buy:3", "purchase:much", ""):
        with pytest.raises(ModelError, match="isn't ACTION:WEIGHT"):
            tasks_of(text)
    with pytest.raises(ModelError, match="at least 0"):
        tasks_of("purchase:-1")
