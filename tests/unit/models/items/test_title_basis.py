import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.items.projector import TextProjector, TitleBasis, token_hashes, tokens
from models.items.title_basis import fit_basis

TITLES = [f"{a} {b} {c}" for a in ("red", "blue") for b in ("garden", "jazz") for c in "xyz"]


def test_tokens_are_words_and_pairs_in_lower_case() -> None:
    assert list(tokens("Red Garden-Hose, 2m")) == [
        "red", "garden", "hose", "2m", "red garden", "garden hose", "hose 2m",
    ]  # fmt: skip


def test_hashes_are_the_same_on_every_machine() -> None:
    assert token_hashes("red").tolist() == [4200685455]


def test_titles_that_share_words_are_near_each_other() -> None:
    features = fit_basis(TITLES, size=6).features(["red garden x", "blue garden y", "red jazz z"])
    assert np.allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-5)
    assert features[0] @ features[0] > features[0] @ features[2]


def test_the_fit_is_the_same_twice() -> None:
    first, second = fit_basis(TITLES, size=6, seed=3), fit_basis(TITLES, size=6, seed=3)
    assert np.array_equal(first.basis, second.basis)


@pytest.mark.parametrize("titles", [[], [""], ["one"], ["same", "same"]])
def test_catalogues_with_few_words_give_features_of_the_right_size(titles: list[str]) -> None:
    features = fit_basis(titles, size=4).features(["same", "", "unheard of"])
    assert features.shape == (3, 4)
    assert np.isfinite(features).all()
    assert not features[1:].any()


@given(st.text())
def test_any_title_has_features(title: str) -> None:
    basis = TitleBasis(
        np.sort(token_hashes("a b c")), np.ones(5, np.float32), np.eye(5, dtype=np.float16)
    )
    assert np.linalg.norm(basis.features([title])) <= 1.0 + 1e-3


def projector() -> TextProjector:
    rng = np.random.default_rng(0)
    basis = fit_basis(TITLES, size=4)

    def weights(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    return TextProjector(
        ("a", "b"), basis, weights(4, 3), weights(2, 3), weights(4, 5), weights(2, 5), cosine=4
    )


def test_a_projector_survives_the_bundles_files() -> None:
    made = projector()
    again = TextProjector.from_parts(made.header(), made.arrays())
    for ours, theirs in zip(made.encode("b", TITLES), again.encode("b", TITLES), strict=True):
        assert ours.dtype == theirs.dtype == np.float16
        assert np.allclose(ours.astype(float), theirs.astype(float), atol=2e-2)


def test_output_vectors_are_of_unit_length_beside_the_bias() -> None:
    _, out = projector().encode("a", ["red garden"])
    assert np.linalg.norm(out[0, :4].astype(float)) == pytest.approx(1.0, abs=2e-3)


def test_what_does_not_fit_is_refused() -> None:
    made = projector()
    with pytest.raises(KeyError, match="'c' isn't one of"):
        made.encode("c", ["red"])
    with pytest.raises(ValueError, match="kind is"):
        TextProjector.from_parts('{"kind": "other"}', made.arrays())
    arrays = made.arrays()
    with pytest.raises(ValueError, match="missing"):
        TextProjector.from_parts(made.header(), {"idf": arrays["idf"]})
    with pytest.raises(ValueError, match="in_offset has shape"):
        TextProjector.from_parts(made.header(), arrays | {"in_offset": np.zeros((3, 3))})
