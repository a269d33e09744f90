"""Where and in what precision a model computes."""

import numpy as np
import torch

from stacked.errors import check_choice, mismatch

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def device_named(name: str | torch.device) -> torch.device:
    """The device called "cpu", "cuda", "cuda:1", "mps"; StackedError when this machine does not have it."""
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise mismatch(
            "device", expected="'cpu', 'cuda' or 'mps'", received=repr(name), remedy="use 'cpu'"
        ) from error
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(device.type, False):
        here = ", ".join(repr(kind) for kind, there in present.items() if there)
        raise mismatch(
            "device", expected=f"one that torch finds here ({here})", received=repr(name), remedy="use 'cpu'"
        )
    return device


def dtype_named(name: str) -> torch.dtype:
    """The torch dtype called "float32" or "float64"."""
    check_choice("dtype", name, DTYPES)
    return DTYPES[name]


def numpy_dtype(dtype: torch.dtype) -> np.dtype[np.generic]:
    """The NumPy dtype of the same numbers."""
    return torch.empty(0, dtype=dtype).numpy().dtype
