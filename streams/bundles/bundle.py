"""Load a bundle and prove that it is whole before anything is served from it.

Checked, in this order: the manifest, that each file which will be read has a checksum, that the
bundle's id is that of the checksums, every file's checksum, the items' and the graphs' shapes and
dtypes against the contract, and the golden inputs, which run through ONNX Runtime and must give
the outputs that export wrote down. No file is parsed before its checksum was right, and nothing
is unpickled. Numpy and ONNX Runtime only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from models.contract import CHAIN, HALVES, MIGRATE_INPUTS, STEP_INPUTS, Contract
from models.items.projector import TextProjector
from models.labels import Labels
from streams.bundles.files import (
    ItemTable,
    read_arrays,
    read_contract,
    read_items,
    read_labels,
    read_manifest,
    read_text,
    verify_files,
    verify_listing,
)
from streams.bundles.graphs import EXPORT_AGAIN, StepHalves, open_graph, verify_graphs
from streams.errors import BundleError

# One unit in the last place of float16 is 1e-3 of a value: another CPU may round a golden
# output once the other way, and the difference passes through both blocks and the head.
GOLDEN_TOLERANCE: Final = 1e-2


@dataclass(frozen=True)
class Bundle:
    """A verified bundle folder.

    Attributes:
        path: the folder.
        bundle_id: hash of the content.
        contract: dimensions and vocabularies.
        metrics: what training and export measured.
        training: how it was trained (data, seed, preset).
        items: platform -> catalogue.
        text: makes vectors from titles, None where the bundle has no text.
        labels: target -> shares of interest labels from a vector, empty without labels.
        halves: the two halves of the step graph, then the chain where the bundle has it; empty
            where it has the step as a whole only.
    """

    path: Path
    bundle_id: str
    contract: Contract
    metrics: dict[str, Any]
    training: dict[str, Any]
    items: dict[str, ItemTable]
    text: TextProjector | None
    golden: dict[str, npt.NDArray[Any]] = field(repr=False)
    labels: dict[str, Labels] = field(default_factory=dict, repr=False)
    halves: tuple[Path, ...] = ()

    @property
    def step_path(self) -> Path:
        """The graph that applies one event to a state."""
        return self.path / "step.onnx"

    @property
    def migrate_path(self) -> Path:
        """The graph that makes a state's interest vectors."""
        return self.path / "migrate.onnx"

    @classmethod
    def load(cls, path: Path | str) -> Bundle:
        """Load and verify.

        Raises:
            BundleError: a file is missing, damaged, or contradicts the contract.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        contract = read_contract(folder, manifest)
        verify_listing(folder, manifest, contract)
        files = manifest["files"]
        verify_files(folder, files)
        halves = [name for name in (*HALVES, CHAIN) if name in files]
        if not set(HALVES) <= set(halves):
            halves = []
        items = {name: read_items(folder, name, contract, files) for name in contract.platforms}
        bundle = cls(
            path=folder,
            bundle_id=str(manifest["bundle_id"]),
            contract=contract,
            metrics=dict(manifest["metrics"]),
            training=dict(manifest["training"]),
            items=items,
            text=read_text(folder, files, contract),
            golden=read_arrays(folder / "golden.npz"),
            labels=read_labels(folder, files, contract),
            halves=tuple(folder / name for name in halves),
        )
        step, migrate = (open_graph(graph) for graph in (bundle.step_path, bundle.migrate_path))
        verify_graphs(bundle.contract, folder, step, migrate)
        bundle.verify_outputs(step, migrate)
        bundle.verify_halves(step)
        return bundle

    def verify_outputs(self, step: ort.InferenceSession, migrate: ort.InferenceSession) -> None:
        """Run the golden inputs through sessions (of any provider) of this bundle.

        Raises:
            BundleError: an output differs from export's by more than ``GOLDEN_TOLERANCE``.
        """
        feeds = {name: self._golden(f"step_{name}") for name in STEP_INPUTS}
        expected_state = self._golden("step_next_state")
        self._compare("step.onnx", step.run(None, feeds)[0], expected_state)
        interests = migrate.run(None, {MIGRATE_INPUTS[0]: expected_state})[0]
        self._compare("migrate.onnx", interests, self._golden("migrate_interests"))

    def verify_halves(self, step: ort.InferenceSession) -> None:
        """The step in two halves, and in a chain, gives what the step gives, to the bit.

        Raises:
            BundleError: it doesn't.
        """
        if not self.halves:
            return
        feeds = {name: self._golden(f"step_{name}") for name in STEP_INPUTS}
        whole = step.run(None, feeds)[0]
        halves = StepHalves(*map(open_graph, self.halves))
        entered = halves.enter(*(feeds[name] for name in STEP_INPUTS[1:]))
        if halves.recur(feeds["state"], entered).tobytes() != whole.tobytes():
            raise BundleError(
                f"{self.path}: {' and '.join(HALVES)} give another state than step.onnx; "
                f"{EXPORT_AGAIN}"
            )
        for width in (1, len(whole) // 2) if len(self.halves) > len(HALVES) else ():
            if not _same_in_a_chain(halves, feeds["state"][:width], entered):
                raise BundleError(
                    f"{self.path}: {CHAIN} gives another state than {HALVES[1]}; {EXPORT_AGAIN}"
                )

    def _golden(self, name: str) -> npt.NDArray[Any]:
        if name not in self.golden:
            raise BundleError(f"{self.path / 'golden.npz'} lacks {name!r}; {EXPORT_AGAIN}")
        return self.golden[name]

    def _compare(self, graph: str, got: npt.NDArray[Any], want: npt.NDArray[Any]) -> None:
        where = f"{self.path / graph}: golden output"
        if got.shape != want.shape or got.dtype != want.dtype:
            raise BundleError(
                f"{where} is {got.dtype}{list(got.shape)}, "
                f"expected {want.dtype}{list(want.shape)}; {EXPORT_AGAIN}"
            )
        worst = float(np.max(np.abs(got.astype(np.float64) - want.astype(np.float64))))
        limit = GOLDEN_TOLERANCE * max(1.0, float(np.max(np.abs(want.astype(np.float64)))))
        if not worst <= limit:
            raise BundleError(
                f"{where} differs by {worst:.3g} (at most {limit:.3g} is rounding): the graph "
                f"and the golden file are of different exports; {EXPORT_AGAIN}"
            )


def _same_in_a_chain(
    halves: StepHalves, state: npt.NDArray[np.float16], entered: list[npt.NDArray[Any]]
) -> bool:
    """Whether events in a chain give the bits that they give one after the other."""
    width = len(state)
    waves = len(entered[0]) // width
    used = [column[: waves * width] for column in entered]
    for wave, after in enumerate(halves.chain(state, used)):
        events = [column[wave * width : (wave + 1) * width] for column in used]
        state = halves.recur(state, events)
        if after.tobytes() != state.tobytes():
            return False
    return True
