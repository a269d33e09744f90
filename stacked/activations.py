"""Activation functions with their derivatives, written in terms of the activation `a = f(z)`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stacked.errors import check_choice

_SCALE, _SLOPE = 1.7159, 2 / 3


@dataclass(frozen=True)
class Activation:
    """One activation function.

    `apply` is the plain function, for autograd. `apply_` does the same in place. `times_derivative_` multiplies,
    in place, an error by `f'(z)`, given `a`. `low` and `high` bound the values. `gain` scales the initial weights.
    """

    apply: Callable[[Tensor], Tensor]
    apply_: Callable[[Tensor], Tensor]
    times_derivative_: Callable[[Tensor, Tensor], Tensor]
    low: float
    high: float
    gain: float


def _sigmoid_derivative_(error: Tensor, a: Tensor) -> Tensor:
    """error * a * (1 - a)"""
    torch.ops.aten.sigmoid_backward.grad_input(error, a, grad_input=error)
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
    return _SCALE * torch.tanh(_SLOPE * z)


def _scaled_tanh_(z: Tensor) -> Tensor:
    return z.mul_(_SLOPE).tanh_().mul_(_SCALE)


def _scaled_tanh_derivative_(error: Tensor, a: Tensor) -> Tensor:
    """error * 1.7159 * 2/3 * (1 - a^2 / 1.7159^2)"""
    return error.mul_(torch.mul(a, a).mul_(-_SLOPE / _SCALE).add_(_SCALE * _SLOPE))


def _same(z: Tensor) -> Tensor:
    return z


def _same_error(error: Tensor, a: Tensor) -> Tensor:
    return error


_INFINITY = float("inf")

ACTIVATIONS = {
    "sigmoid": Activation(torch.sigmoid, torch.sigmoid_, _sigmoid_derivative_, 0.0, 1.0, 4.0),
    "relu": Activation(torch.relu, torch.relu_, _relu_derivative_, 0.0, _INFINITY, 2.0**0.5),
    "tanh": Activation(torch.tanh, torch.tanh_, _tanh_derivative_, -1.0, 1.0, 1.0),
    "scaled_tanh": Activation(_scaled_tanh, _scaled_tanh_, _scaled_tanh_derivative_, -_SCALE, _SCALE, 1.0),
    "linear": Activation(_same, _same, _same_error, -_INFINITY, _INFINITY, 1.0),
}

CODE_ACTIVATIONS = ("sigmoid", "relu", "tanh", "scaled_tanh")


def activation_named(name: str) -> Activation:
    """The activation called `name`; StackedError when there is none."""
    check_choice("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]
