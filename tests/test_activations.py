"""Activation functions against formulas, and their derivatives against autograd."""

import pytest
import torch
import torch.nn.functional as F

from stacked.activations import ACTIVATIONS, CODE_ACTIVATIONS, activation_named
from stacked.errors import StackedError

EXPECTED = {
    "sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
    "relu": F.relu,
    "tanh": lambda z: (torch.exp(z) - torch.exp(-z)) / (torch.exp(z) + torch.exp(-z)),
    "scaled_tanh": lambda z: 1.7159 * torch.tanh(2 * z / 3),
    "linear": lambda z: z,
}
LIMITS = {
    "sigmoid": (0, 1),
    "relu": (0, torch.inf),
    "tanh": (-1, 1),
    "scaled_tanh": (-1.7159, 1.7159),
    "linear": (-torch.inf, torch.inf),
}
both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


@pytest.fixture(params=EXPECTED)
def name(request):
    """The name of each activation."""
    return request.param


def points(dtype):
    return torch.cat([torch.linspace(-6, 6, 101, dtype=dtype), torch.tensor([-20, 20, 0, -0.0], dtype=dtype)])


def test_there_are_exactly_these():
    assert set(ACTIVATIONS) == set(EXPECTED)
    assert set(CODE_ACTIVATIONS) == set(EXPECTED)


@both_dtypes
def test_values_follow_the_formula(name, dtype):
    z = points(dtype)
    torch.testing.assert_close(activation_named(name).apply(z), EXPECTED[name](z))


@both_dtypes
def test_in_place_gives_the_same_values_in_the_same_memory(name, dtype):
    z = points(dtype)
    expected = EXPECTED[name](z.clone())
    made = activation_named(name).apply_(z)
    assert made.data_ptr() == z.data_ptr()
    torch.testing.assert_close(z, expected)


@both_dtypes
def test_the_plain_function_leaves_its_argument(name, dtype):
    z = points(dtype)
    activation_named(name).apply(z)
    assert torch.equal(z, points(dtype))


@both_dtypes
def test_the_derivative_is_that_of_autograd(name, dtype):
    z = points(dtype).requires_grad_()
    error = torch.linspace(-2, 3, len(z), dtype=dtype)
    a = EXPECTED[name](z) if name != "tanh" else torch.tanh(z)
    (expected,) = torch.autograd.grad(a, z, grad_outputs=error)
    a = a.detach()
    before = a.clone()
    made = activation_named(name).times_derivative_(error, a)
    assert made.data_ptr() == error.data_ptr()
    torch.testing.assert_close(error, expected)
    assert torch.equal(a, before)


def test_the_derivative_is_that_of_finite_differences(name):
    z, step = torch.linspace(-3, 3, 60, dtype=torch.float64), 1e-6
    activation = activation_named(name)
    slope = (activation.apply(z + step) - activation.apply(z - step)) / (2 * step)
    derivative = activation.times_derivative_(torch.ones_like(z), activation.apply(z))
    torch.testing.assert_close(derivative, slope, rtol=0, atol=1e-8)


def test_the_derivative_works_on_tables(name):
    z = torch.linspace(-3, 3, 12).reshape(3, 4)
    activation = activation_named(name)
    flat = activation.times_derivative_(torch.ones(12), activation.apply(z.flatten()))
    assert torch.equal(activation.times_derivative_(torch.ones(3, 4), activation.apply(z)).flatten(), flat)


def test_relu_has_slope_zero_at_zero():
    assert activation_named("relu").times_derivative_(torch.ones(1), torch.zeros(1)).item() == 0


def test_values_stay_within_the_bounds_and_come_close_to_them(name):
    activation = activation_named(name)
    assert (activation.low, activation.high) == LIMITS[name]
    a = activation.apply(torch.tensor([-1e4, 1e4], dtype=torch.float64))
    expected = torch.tensor(LIMITS[name], dtype=torch.float64).clamp(-1e4, 1e4)
    torch.testing.assert_close(a, expected)


@pytest.mark.parametrize("unknown", ["softplus", "Sigmoid", "", None, 3, ["sigmoid"]])
def test_an_unknown_name_is_refused_with_the_known_ones(unknown):
    with pytest.raises(StackedError, match="activation: expected one of 'sigmoid', 'relu', 'tanh', 'scaled_tanh'"):
        activation_named(unknown)
