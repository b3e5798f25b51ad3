"""Cut the step graph in two: what looks at the event alone, and what looks at the state too.

Only the second half has to run event after event of a user; the first runs over all events of
a batch at once. Both halves have the nodes of the step graph, in their order, so that a step
has the same result either way.

The first half takes items' vectors in the float16 that a bundle stores: ONNX Runtime widens them
in a tenth of numpy's time.

The second half also comes as a chain, which takes several events of the same users in one call:
for a busy user alone, what a call costs beside the arithmetic is most of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import onnx

from models.contract import STEP_INPUTS
from models.errors import ExportError

STATE, ITEM = STEP_INPUTS[:2]
HALF: Final = f"{ITEM}_half"


def split_step(step: bytes) -> tuple[bytes, bytes]:
    """The two halves of a step graph: ``enter`` and ``recur``.

    ``enter`` has the step's inputs but the state, the item as float16, and gives what ``recur``
    takes beside it.

    Raises:
        ExportError: a tensor between them hasn't the batch as its first axis.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(step), strict_mode=True)
    early, late = _by_state(model.graph.node)
    inputs = {value.name: value for value in model.graph.input}
    known = {name for node in early for name in node.output} | inputs.keys() - {STATE}
    wanted = dict.fromkeys(name for node in late for name in node.input if name in known)
    between = [_value(model, name) for name in wanted]
    item = _renamed(inputs[ITEM], HALF, ())
    item.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    widen = onnx.helper.make_node("Cast", [HALF], [ITEM], to=onnx.TensorProto.FLOAT)
    first = [item, *(inputs[name] for name in STEP_INPUTS if name not in (STATE, ITEM))]
    enter = _half(model, [widen, *early], first, between)
    return enter, _half(model, late, [inputs[STATE], *between], list(model.graph.output))


def chain(recur: bytes) -> bytes:
    """The second half over T events of each user: state, tensors [T, B, ...] -> states [T, B, S].

    A Scan whose body is ``recur``, so that each event has the bits that it has alone.
    """
    model = onnx.load_from_string(recur)
    graph, make = model.graph, onnx.helper
    state, *between = graph.input
    (after,) = graph.output
    # A body's outputs have to differ: the state goes on, a copy of it is what is given out.
    given = make.make_node("Identity", [after.name], ["given"])
    copy = _renamed(after, "given", ())
    body = make.make_graph([*graph.node, given], "event", list(graph.input), [after, copy])
    inputs = [_renamed(state, "first", ())]
    inputs += [_renamed(value, f"{value.name}_of_each", ("T",)) for value in between]
    outputs = [_renamed(after, "next_states", ("T",))]
    node = make.make_node(
        "Scan",
        [value.name for value in inputs],
        ["last", outputs[0].name],
        body=body,
        num_scan_inputs=len(between),
    )
    whole = make.make_graph([node], "chain", inputs, outputs, list(graph.initializer))
    made = make.make_model(whole, ir_version=model.ir_version, opset_imports=model.opset_import)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def _renamed(value: onnx.ValueInfoProto, name: str, axes: Sequence[str]) -> onnx.ValueInfoProto:
    """A tensor of the same type under another name, with further axes before its own."""
    tensor = value.type.tensor_type
    shape = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
    return onnx.helper.make_tensor_value_info(name, tensor.elem_type, [*axes, *shape])


def _by_state(nodes: Iterable[onnx.NodeProto]) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """Nodes that don't need the state, and those that do; each in the graph's order."""
    early: list[onnx.NodeProto] = []
    late: list[onnx.NodeProto] = []
    stateful = {STATE}
    for node in nodes:  # what a node needs comes before it, as ONNX demands
        if stateful.isdisjoint(node.input):
            early.append(node)
        else:
            late.append(node)
            stateful.update(node.output)
    return early, late


def _value(model: onnx.ModelProto, name: str) -> onnx.ValueInfoProto:
    for value in (*model.graph.value_info, *model.graph.input):
        if value.name == name:
            found: onnx.ValueInfoProto = value
            return found
    raise ExportError(f"the step graph's tensor {name!r} has no known shape; it can't be cut there")


def _half(
    model: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
) -> bytes:
    used = {name for node in nodes for name in node.input}
    constants = [value for value in model.graph.initializer if value.name in used]
    graph = onnx.helper.make_graph(nodes, model.graph.name, inputs, outputs, constants)
    half = onnx.helper.make_model(
        graph, ir_version=model.ir_version, opset_imports=model.opset_import
    )
    onnx.checker.check_model(half)
    return bytes(half.SerializeToString())
