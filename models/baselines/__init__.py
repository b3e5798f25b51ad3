"""The methods that ``interest-stream evaluate`` knows by name, beside bundles."""

from collections.abc import Callable
from typing import Final

from models.baselines.base import Method, NotApplicableError
from models.baselines.blend import Blend
from models.baselines.content import CategoryRules, ContentSimilarity
from models.baselines.factors import MovingAverage, PureSvd
from models.baselines.neighbours import ItemKnn, UserKnn
from models.baselines.popularity import Popularity, RecentPopularity

METHODS: Final[dict[str, Callable[[], Method]]] = {
    "pop-all": Popularity,
    "pop-7d": RecentPopularity,
    "pop-30d": lambda: RecentPopularity(days=30),
    "rules": CategoryRules,
    "content": ContentSimilarity,
    "item-knn": ItemKnn,
    "user-knn": UserKnn,
    "svd": PureSvd,
    "moving-average": MovingAverage,
    "hybrid": lambda: Blend([ItemKnn(), ContentSimilarity(), RecentPopularity(days=30)]),
}

__all__ = ["METHODS", "Blend", "Method", "NotApplicableError"]
