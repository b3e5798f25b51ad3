import pytest
import torch

from models.contract import ACTIONS
from models.errors import ModelError
from models.training.action_weights import ActionWeights

PURCHASE, BROWSE = ACTIONS.index("purchase"), ACTIONS.index("browse")


def test_alike_changes_nothing() -> None:
    losses = torch.rand(5)
    assert ActionWeights.parse("alike").apply(losses, torch.zeros(5, dtype=torch.int64)) is losses


def test_set_weights_make_a_weighted_mean() -> None:
    weights = ActionWeights.parse("purchase:3,cart:2")
    losses, action = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([PURCHASE, BROWSE, BROWSE])
    assert float(weights.apply(losses, action).mean()) == pytest.approx((3 * 1 + 2 + 6) / 5)


def test_a_batch_of_what_weighs_nothing_has_no_loss() -> None:
    weights = ActionWeights.parse("browse:0")
    found = weights.apply(torch.ones(3), torch.full((3,), BROWSE))
    assert found.tolist() == [0.0, 0.0, 0.0]
    assert weights.apply(torch.zeros(0), torch.zeros(0, dtype=torch.int64)).shape == (0,)


@pytest.mark.parametrize("text", ["purchase", "buy:3", "purchase:much", "", "learned"])
def test_what_is_no_weight_is_named(text: str) -> None:
    with pytest.raises(ModelError, match="isn't ACTION:WEIGHT"):
        ActionWeights.parse(text)


def test_weights_are_not_negative() -> None:
    with pytest.raises(ModelError, match="at least 0"):
        ActionWeights.parse("purchase:-1")
