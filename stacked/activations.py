"""Activation functions with their derivatives, written in terms of the activation `a = f(z)`."""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stacked.errors import check_choice

SCALE, SLOPE = 1.7159, 2 / 3
"""Of the scaled tanh, `SCALE * tanh(SLOPE * z)`."""


@dataclass(frozen=True)
class Activation:
    """One activation function.

    `apply` is the plain function, for autograd. `apply_` does the same in place. `times_derivative_` multiplies,
    in place, an error by `f'(z)`, given `a`. `slope` is `f'(z)` given `a`, and `curvature` the derivative of that by
    `a`. `low` and `high` bound the values. `gain` scales the initial weights.
    """

    name: str
    apply: Callable[[Tensor], Tensor]
    apply_: Callable[[Tensor], Tensor]
    times_derivative_: Callable[[Tensor, Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    curvature: Callable[[Tensor], Tensor]
    low: float
    high: float
    gain: float

    def __reduce__(self) -> tuple[Callable[[str], "Activation"], tuple[str]]:
        """A copy in another process is made by name, for most of the functions cannot be sent."""
        return activation_named, (self.name,)


sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
"""From an error and a sigmoid `a`, error * a * (1 - a) into `grad_input`; looked up once, for it is called often."""


def _sigmoid_derivative_(error: Tensor, a: Tensor) -> Tensor:
    """error * a * (1 - a)"""
    sigmoid_backward(error, a, grad_input=error)
    return error


def _relu_derivative_(error: Tensor, a: Tensor) -> Tensor:
    """error where a > 0, else 0"""
    torch.ops.aten.threshold_backward.grad_input(error, a, 0, grad_input=error)
    return error


def _tanh_derivative_(error: Tensor, a: Tensor) -> Tensor:
    """error * (1 - a^2)"""
    torch.ops.aten.tanh_backward.grad_input(error, a, grad_input=error)
    return error


def _scaled_tanh(z: Tensor) -> Tensor:
    """1.7159 tanh(2/3 z), LeCun et al., "Efficient BackProp" (1998)"""
    return SCALE * torch.tanh(SLOPE * z)


def _scaled_tanh_(z: Tensor) -> Tensor:
    return z.mul_(SLOPE).tanh_().mul_(SCALE)


def _scaled_tanh_derivative_(error: Tensor, a: Tensor) -> Tensor:
    """error * 1.7159 * 2/3 * (1 - a^2 / 1.7159^2)"""
    return error.mul_(torch.mul(a, a).mul_(-SLOPE / SCALE).add_(SCALE * SLOPE))


def _same(z: Tensor) -> Tensor:
    return z


def _same_error(error: Tensor, a: Tensor) -> Tensor:
    return error


_INFINITY = float("inf")

ACTIVATIONS = {
    "sigmoid": Activation(
        name="sigmoid",
        apply=torch.sigmoid,
        apply_=torch.sigmoid_,
        times_derivative_=_sigmoid_derivative_,
        slope=lambda a: a * (1 - a),
        curvature=lambda a: 1 - 2 * a,
        low=0.0,
        high=1.0,
        gain=4.0,
    ),
    "relu": Activation(
        name="relu",
        apply=torch.relu,
        apply_=torch.relu_,
        times_derivative_=_relu_derivative_,
        slope=lambda a: (a > 0).to(a.dtype),
        curvature=torch.zeros_like,
        low=0.0,
        high=_INFINITY,
        gain=2.0**0.5,
    ),
    "tanh": Activation(
        name="tanh",
        apply=torch.tanh,
        apply_=torch.tanh_,
        times_derivative_=_tanh_derivative_,
        slope=lambda a: 1 - a * a,
        curvature=lambda a: -2 * a,
        low=-1.0,
        high=1.0,
        gain=1.0,
    ),
    "scaled_tanh": Activation(
        name="scaled_tanh",
        apply=_scaled_tanh,
        apply_=_scaled_tanh_,
        times_derivative_=_scaled_tanh_derivative_,
        slope=lambda a: SLOPE * (SCALE - a * a / SCALE),
        curvature=lambda a: -2 * SLOPE / SCALE * a,
        low=-SCALE,
        high=SCALE,
        gain=1.0,
    ),
    "linear": Activation(
        name="linear",
        apply=_same,
        apply_=_same,
        times_derivative_=_same_error,
        slope=torch.ones_like,
        curvature=torch.zeros_like,
        low=-_INFINITY,
        high=_INFINITY,
        gain=1.0,
    ),
}

CODE_ACTIVATIONS = ("sigmoid", "relu", "tanh", "scaled_tanh", "linear")

TOP_K_ACTIVATIONS = ("sigmoid", "relu")
"""Those that are 0 with a derivative of 0 where a unit is silenced."""


def top_k(name: str, k: int) -> Activation:
    """`f(z)` for the `k` largest units of each row, 0 for the others; Makhzani and Frey (2014).

    Of equal units any may be kept. The derivative is that of `f`, which is 0 where `a` is 0.
    """
    check_choice("activation", name, TOP_K_ACTIVATIONS)
    below = ACTIVATIONS[name]

    def largest(a: Tensor) -> Tensor:
        kept = a.topk(min(k, a.shape[-1]), dim=-1, sorted=False)
        return torch.zeros_like(a).scatter(-1, kept.indices, kept.values)

    return dataclasses.replace(
        below,
        name=f"{name}_top_{k}",
        apply=lambda z: largest(below.apply(z)),
        apply_=lambda z: z.copy_(largest(below.apply_(z))),
    )


def activation_named(name: str) -> Activation:
    """The activation called `name`, such as "relu", or "relu_top_8" for `top_k("relu", 8)`.

    Raises
    ------
    StackedError
        When there is none.
    """
    parts = re.fullmatch(r"(\w+)_top_([1-9]\d{0,8})", name) if isinstance(name, str) else None
    if parts is not None:
        return top_k(parts[1], int(parts[2]))
    check_choice("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]
