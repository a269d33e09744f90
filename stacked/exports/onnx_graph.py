"""A model as operators of ONNX, opset 17, in plain lists and arrays."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stacked.activations import SCALE, SLOPE
from stacked.exports.subject import DenseArrays, Subject
from stacked.rows import Array
from stacked.scaling import Scaling

_DOUBLE = 11
"""What ONNX calls float64: TensorProto.DOUBLE."""
_OPERATORS = {"sigmoid": "Sigmoid", "relu": "Relu", "tanh": "Tanh", "softmax": "Softmax"}


class Node(NamedTuple):
    """An operator, the names of what goes in and comes out, and its attributes."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: dict[str, Any]


class Graph:
    """Operators in the order of use, from "rows" to the result of the subject, "codes" or "outputs".

    Parameters
    ----------
    subject : Subject
        What they compute.

    Attributes
    ----------
    nodes : list of Node
        The operators.
    constants : dict
        Arrays by the names that nodes have for them.
    """

    def __init__(self, subject: Subject) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self._dtype = subject.dtype
        x = "rows"
        if subject.scaling is not None:
            x = self._node("Sub", x, self._constant("shift", subject.scaling.shift))
            x = self._node("Div", x, self._constant("scale", subject.scaling.scale))
        for number, layer in enumerate(subject.layers, start=1):
            x = self._dense(x, layer, f"layer_{number}")
        if subject.target_scaling is not None:
            x = self._in_units(x, subject.target_scaling)
        self.nodes.append(Node("Identity", [x], [subject.result], {}))

    def _in_units(self, x: str, scaling: Scaling) -> str:
        """Predicted numbers in the units of the targets, float64."""
        wide = self._node("Cast", x, to=_DOUBLE)
        scaled = self._node("Mul", wide, self._constant("target_scale", scaling.scale, np.float64))
        return self._node("Add", scaled, self._constant("target_shift", scaling.shift, np.float64))

    def _dense(self, x: str, layer: DenseArrays, name: str) -> str:
        weight, bias = (self._constant(f"{name}_{part}", getattr(layer, part)) for part in ("weight", "bias"))
        a = self._function(layer.function, self._node("Gemm", x, weight, bias, transB=1), name)
        _, _, k = layer.function.partition("_top_")
        return self._largest(a, int(k), name) if k and int(k) < len(layer.bias) else a

    def _function(self, function: str, z: str, name: str) -> str:
        below = function.partition("_top_")[0]
        if below == "scaled_tanh":
            inner = self._node("Mul", z, self._constant(f"{name}_slope", SLOPE))
            return self._node("Mul", self._node("Tanh", inner), self._constant(f"{name}_scale", SCALE))
        return z if below == "linear" else self._node(_OPERATORS[below], z)

    def _largest(self, a: str, k: int, name: str) -> str:
        """The `k` largest units of each row, put into zeros where they were."""
        values, places = f"{name}_largest", f"{name}_places"
        sought = self._constant(f"{name}_k", [k], np.int64)
        self.nodes.append(Node("TopK", [a, sought], [values, places], {"axis": 1, "sorted": 0}))
        zeros = self._node("Expand", self._constant(f"{name}_zero", 0), self._node("Shape", a))
        return self._node("ScatterElements", zeros, places, values, axis=1)

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator of one output, and name that."""
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(Node(operator, inputs, [output], attributes))
        return output

    def _constant(self, name: str, value: Any, dtype: Any = None) -> str:
        """Name an array, in the dtype of the model by default."""
        self.constants[name] = np.ascontiguousarray(value, self._dtype if dtype is None else dtype)
        return name
