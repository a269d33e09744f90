"""The matrix products of gradients by hand: of one model or of several at once, exact or of rounded operands.

All shapes may have one dimension more in front, one model after the other.
"""

from collections.abc import Callable

import torch
from torch import Tensor


class Products:
    """Products in the dtype of the operands."""

    def weighted_sums(self, x: Tensor, transposed_weight: Tensor, bias: Tensor, out: Tensor) -> None:
        """out <- x W' + b, for `(n, n_inputs)`, `(n_inputs, n_units)` and `(n_units,)`."""
        if x.dim() == 2:
            torch.addmm(bias, x, transposed_weight, out=out)
        else:
            torch.baddbmm(bias.unsqueeze(-2), x, transposed_weight, out=out)

    def errors_below(self, delta: Tensor, weight: Tensor, out: Tensor) -> None:
        """out <- delta W, for `(n, n_units)` and `(n_units, n_inputs)`."""
        multiply = torch.mm if delta.dim() == 2 else torch.bmm
        multiply(delta, weight, out=out)

    def add_to_weight(
        self, gradient: Tensor, transposed_delta: Tensor, below: Tensor, decay: float, scale: float
    ) -> None:
        """gradient <- decay * gradient + scale * delta' a, for `(n_units, n)` and `(n, n_inputs)`."""
        add = gradient.addmm_ if gradient.dim() == 2 else gradient.baddbmm_
        add(transposed_delta, below, beta=decay, alpha=scale)

    def add_to_bias(
        self, gradient: Tensor, transposed_delta: Tensor, ones: Tensor, decay: float, scale: float
    ) -> None:
        """gradient <- decay * gradient + scale * sum over rows of delta; `ones` has a 1 for every row."""
        if gradient.dim() == 1:
            gradient.addmv_(transposed_delta, ones, beta=decay, alpha=scale)
        else:
            gradient.unsqueeze(-1).baddbmm_(transposed_delta, ones.unsqueeze(-1), beta=decay, alpha=scale)


class RoundedProducts(Products):
    """Products of operands rounded to bfloat16, summed in float32; everything else stays in the dtype it has.

    On CUDA a product is float32 as it was summed; a CPU has no such product in torch, and there it is rounded to
    bfloat16 too before it is added to anything. Sums over rows are no matrix products and are not rounded.
    """

    def __init__(self) -> None:
        self._rooms: dict[tuple[object, ...], Tensor] = {}

    def weighted_sums(self, x: Tensor, transposed_weight: Tensor, bias: Tensor, out: Tensor) -> None:
        torch.add(self._product(x, transposed_weight), bias.unsqueeze(-2), out=out)

    def errors_below(self, delta: Tensor, weight: Tensor, out: Tensor) -> None:
        out.copy_(self._product(delta, weight))

    def add_to_weight(
        self, gradient: Tensor, transposed_delta: Tensor, below: Tensor, decay: float, scale: float
    ) -> None:
        held = gradient.mul_(decay) if decay else gradient.zero_()
        held.add_(self._product(transposed_delta, below), alpha=scale)

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        """The product, valid until the next one."""
        multiply = torch.mm if left.dim() == 2 else torch.bmm
        left, right = self._rounded("left", left), self._rounded("right", right)
        shape = (*left.shape[:-1], right.shape[-1])
        if left.is_cuda:
            out = self._room(("summed", shape), lambda: left.new_empty(shape, dtype=torch.float32))
            return multiply(left, right, out_dtype=torch.float32, out=out)
        return multiply(left, right, out=self._room(("rounded", shape), lambda: left.new_empty(shape)))

    def _rounded(self, side: str, operand: Tensor) -> Tensor:
        key = (side, operand.shape, operand.stride())  # the room is transposed where the operand is
        return self._room(key, lambda: torch.empty_like(operand, dtype=torch.bfloat16)).copy_(operand)

    def _room(self, key: tuple[object, ...], make: Callable[[], Tensor]) -> Tensor:
        if key not in self._rooms:
            self._rooms[key] = make()
        return self._rooms[key]
