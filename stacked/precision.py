"""In what precision a training multiplies matrices; everything else is computed in the dtype of the model."""

import contextlib
import threading
from collections.abc import Iterator

import torch

from stacked.products import Products, RoundedProducts

PRECISIONS = ("float32", "tf32", "bf16")
"""As the dtype has it; operands rounded to 10 bits by tensor cores that can; operands rounded to bfloat16."""


def products_in(precision: str) -> Products:
    """How gradients by hand multiply."""
    return RoundedProducts() if precision == "bf16" else Products()


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """In which autograd's products are rounded, where they are to be."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def tensor_cores(precision: str) -> contextlib.AbstractContextManager[None]:
    """In which torch may multiply in TensorFloat32 where that is wanted; its switch is put back.

    The switch is that of the process: what other threads multiply meanwhile may be rounded too.
    """
    return _SWITCH.on() if precision == "tf32" else contextlib.nullcontext()


class _Switch:
    """Turned by the first thread that wants it, and put back by the last."""

    def __init__(self) -> None:
        self._lock, self._users, self._before = threading.Lock(), 0, ""

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        with self._lock:
            if self._users == 0:
                self._before = torch.get_float32_matmul_precision()
                torch.set_float32_matmul_precision("high")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    torch.set_float32_matmul_precision(self._before)


_SWITCH = _Switch()
