"""Codes of rows by NumPy alone, from a file that `stacked export MODEL --format numpy` wrote.

Every such file is an archive, which holds this text too, and from which Python can import it:

    import sys
    import numpy as np

    sys.path.insert(0, "encoder.npz")
    from encode import encode

    with np.load("encoder.npz") as arrays:
        codes = encode(arrays, rows)

Its arrays: `layer_1_weight` (n_units, n_inputs), `layer_1_bias` (n_units,) and so on upwards; `functions`, the name
of what each layer applies to its weighted sums; `shift` and `scale` (n_inputs,) where rows are scaled first;
`target_shift` and `target_scale` (n_units,) of a regressor, whose numbers get units, in float64. Nothing is pickled.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def encode(arrays: Mapping[str, Array], rows: Any) -> Array:
    """Codes of a stack, outputs of a classifier, or numbers of a regressor, (n, n_units), of rows, (n, n_inputs)."""
    a = scaled(arrays, np.asarray(rows))
    for number, function in enumerate(arrays["functions"], start=1):
        weight, bias = arrays[f"layer_{number}_weight"], arrays[f"layer_{number}_bias"]
        a = applied(str(function), a @ weight.T + bias)
    return a.astype(np.float64) * arrays["target_scale"] + arrays["target_shift"] if "target_scale" in arrays else a


def scaled(arrays: Mapping[str, Array], rows: Array) -> Array:
    """(rows - shift) / scale in the dtype of the weights; computed in float64 for float64 and whole numbers."""
    dtype = arrays["layer_1_weight"].dtype
    if "shift" in arrays:
        is_short = rows.dtype.kind == "f" and rows.dtype != np.float64
        working = dtype if is_short else np.dtype(np.float64)
        rows = (rows.astype(working) - arrays["shift"].astype(working)) / arrays["scale"].astype(working)
    return rows.astype(dtype)


def applied(function: str, z: Array) -> Array:
    """f(z) by the name of f, one of FUNCTIONS, or for instance "relu_top_8", which keeps the 8 largest of a row."""
    below, _, k = function.partition("_top_")
    a = FUNCTIONS[below](z)
    if not k or int(k) >= a.shape[1]:
        return a
    places = np.argpartition(a, -int(k), axis=1)[:, -int(k) :]
    kept = np.zeros_like(a)
    np.put_along_axis(kept, places, np.take_along_axis(a, places, axis=1), axis=1)
    return kept


def softmax(z: Array) -> Array:
    """exp(z) / sum exp(z) in each row."""
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    shares: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda z: 0.5 * (1 + np.tanh(0.5 * z)),  # which cannot overflow
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "scaled_tanh": lambda z: 1.7159 * np.tanh(2 / 3 * z),
    "linear": lambda z: z,
    "softmax": softmax,
}
