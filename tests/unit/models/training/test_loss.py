import numpy as np
import torch

from models.training.loss import Negatives, Sampler, sampled_softmax


def test_with_all_items_as_negatives_it_is_the_full_softmax() -> None:
    torch.manual_seed(0)
    interests, items = torch.randn(5, 4), torch.randn(9, 4)
    right = torch.tensor([0, 3, 8, 3, 1])
    drawn = Negatives(torch.arange(9), torch.zeros(9))
    got = sampled_softmax(interests, items[right], right, items, drawn)
    expected = torch.nn.functional.cross_entropy(interests @ items.T, right, reduction="none")
    torch.testing.assert_close(got, expected)


def test_sampling_by_popularity_estimates_the_full_softmax() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    items, interests = 0.5 * torch.randn(200, 8), torch.randn(4, 8)
    right = torch.tensor([3, 50, 120, 199])
    counts = rng.geometric(0.05, 200).astype(np.float32)
    sampler = Sampler(first=0, counts=counts, size=200, power=0.75)
    full = torch.nn.functional.cross_entropy(interests @ items.T, right, reduction="none")
    # The sum below the fraction is estimated without bias, its logarithm is not.
    sums = []
    for _ in range(400):
        drawn = sampler.draw(rng)
        found = sampled_softmax(interests, items[right], right, items[drawn.rows], drawn)
        sums.append(found.exp())
    torch.testing.assert_close(torch.stack(sums).mean(0), full.exp(), atol=0.0, rtol=0.03)


def test_negatives_lie_in_the_platforms_rows_and_popular_ones_come_more_often() -> None:
    counts = np.array([100, 0, 0, 0], np.float32)
    sampler = Sampler(first=10, counts=counts, size=4, power=1.0)
    rng = np.random.default_rng(0)
    rows = torch.cat([sampler.draw(rng).rows for _ in range(100)])
    assert set(rows.tolist()) <= {10, 11, 12, 13}
    assert (rows == 10).float().mean() > 0.9
