"""The methods that ``evaluate`` knows by name, beside bundles; a file for each kind.

In: a split (``fit``) and cases; out: a score of every item (``scores``). A new one is a class with
both and a line in ``METHODS``, or in ``SLOW_METHODS`` if it trains a network. Imports training
and what is below it.
"""

from collections.abc import Callable
from typing import Final

from models.baselines.base import Method, NotApplicableError
from models.baselines.blend import Blend
from models.baselines.chain import Chain
from models.baselines.content import ContentSimilarity
from models.baselines.factors import MovingAverage, PureSvd
from models.baselines.live.neighbours import LiveItemKnn, LiveUserKnn
from models.baselines.live.popularity import LivePopularity
from models.baselines.neighbours import ItemKnn, UserKnn
from models.baselines.popularity import Popularity, RecentPopularity
from models.baselines.rules import CategoryRules, read_rules
from models.baselines.trained import TrainedReference

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
    "blend": lambda: Blend([ItemKnn(), ContentSimilarity(), RecentPopularity(days=30)]),
}

LIVE_METHODS: Final[dict[str, Callable[[], Method]]] = {
    "live-pop": LivePopularity,
    "live-item-knn": LiveItemKnn,
    "live-user-knn": LiveUserKnn,
    "live-blend": lambda: Blend(
        [LiveUserKnn(), LiveItemKnn(), ContentSimilarity(), LivePopularity()]
    ),
}
"""What goes on counting while a model stays: the baselines of ``stream``."""

SLOW_METHODS: Final[dict[str, Callable[[], Method]]] = {
    "gru": lambda: TrainedReference("gru"),
    "attention": lambda: TrainedReference("attention"),
}

__all__ = [
    "LIVE_METHODS",
    "METHODS",
    "SLOW_METHODS",
    "Blend",
    "CategoryRules",
    "Chain",
    "Method",
    "NotApplicableError",
    "read_rules",
]
