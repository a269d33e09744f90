"""In what precision a training multiplies matrices; everything else is computed in the dtype of the model."""

import contextlib
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
    """In which torch may multiply in TensorFloat32 where that is wanted; its switch, which is global, is put back."""
    return _allowed() if precision == "tf32" else contextlib.nullcontext()


@contextlib.contextmanager
def _allowed() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
