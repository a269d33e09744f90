"""Activation functions against formulas, and their derivatives against autograd."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stacked.activations import ACTIVATIONS, CODE_ACTIVATIONS, TOP_K_ACTIVATIONS, activation_named, top_k
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


@both_dtypes
def test_the_slope_is_that_of_autograd(name, dtype):
    z = points(dtype).requires_grad_()
    a = EXPECTED[name](z) if name != "tanh" else torch.tanh(z)
    (expected,) = torch.autograd.grad(a.sum(), z)
    torch.testing.assert_close(activation_named(name).slope(a.detach()), expected)


def test_the_curvature_is_the_derivative_of_the_slope_by_the_activation(name):
    activation = activation_named(name)
    a = torch.linspace(0.05, 0.95, 31, dtype=torch.float64, requires_grad=True)
    slope = activation.slope(a)
    expected = torch.autograd.grad(slope.sum(), a)[0] if slope.requires_grad else torch.zeros_like(a)
    torch.testing.assert_close(activation.curvature(a.detach()), expected)


def test_the_slope_and_the_curvature_leave_their_argument(name):
    a = activation_named(name).apply(points(torch.float64))
    before = a.clone()
    activation_named(name).slope(a).mul_(3)
    activation_named(name).curvature(a).mul_(3)
    assert torch.equal(a, before)


# The k largest

top_k_of = pytest.mark.parametrize("below", TOP_K_ACTIVATIONS)


def table(n=40, width=9):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def largest_by_numpy(a, k):
    """All but the k largest of every row set to 0, by sorting."""
    a = a.copy()
    np.put_along_axis(a, np.argsort(a, axis=1)[:, : a.shape[1] - k], 0.0, axis=1)
    return a


@top_k_of
@pytest.mark.parametrize("k", [1, 3, 9])
def test_top_k_keeps_the_largest_of_every_row(below, k):
    z = table()
    expected = torch.from_numpy(largest_by_numpy(EXPECTED[below](z).numpy(), k))
    torch.testing.assert_close(top_k(below, k).apply(z), expected)
    made = top_k(below, k).apply_(z)
    assert made.data_ptr() == z.data_ptr()
    torch.testing.assert_close(z, expected)


@top_k_of
def test_top_k_of_more_units_than_there_are_keeps_all(below):
    z = table()
    torch.testing.assert_close(top_k(below, 100).apply(z), EXPECTED[below](z))


@top_k_of
def test_of_equal_units_exactly_k_are_kept(below):
    a = top_k(below, 4).apply(torch.full((6, 9), 0.7))
    assert (a > 0).sum(dim=1).tolist() == [4] * 6


@top_k_of
@pytest.mark.parametrize("k", [2, 9])
def test_the_derivative_of_top_k_is_that_of_autograd_and_finite_differences(below, k):
    z, error = table().requires_grad_(), table().flip(0)
    a = top_k(below, k).apply(z)
    (expected,) = torch.autograd.grad(a, z, grad_outputs=error)
    torch.testing.assert_close(top_k(below, k).times_derivative_(error.clone(), a.detach()), expected)
    assert torch.autograd.gradcheck(top_k(below, k).apply, [z])


@top_k_of
def test_rows_do_not_see_each_other_in_top_k(below):
    z = table()
    one_by_one = torch.cat([top_k(below, 3).apply(row[None]) for row in z])
    torch.testing.assert_close(top_k(below, 3).apply(z), one_by_one, rtol=1e-15, atol=0)


@top_k_of
def test_top_k_is_found_by_its_name(below):
    found = activation_named(top_k(below, 12).name)
    assert found.name == f"{below}_top_12"
    assert torch.equal(found.apply(table(width=20)), top_k(below, 12).apply(table(width=20)))
    assert found.gain == activation_named(below).gain


@pytest.mark.parametrize(
    "name",
    [
        *("tanh_top_3", "linear_top_3", "relu_top_0", "relu_top_-1", "relu_top_03", "relu_top_", "relu_top_3 "),
        *("relu_top_3_top_2", "relu_top_1.5", "RELU_top_3", "relu_top_3\n", "relu_top_" + "9" * 30, "top_3"),
    ],
)
def test_a_name_that_is_almost_one_of_top_k_is_refused(name):
    with pytest.raises(StackedError, match="activation: expected one of"):
        activation_named(name)


@pytest.mark.parametrize("name", [*EXPECTED, "relu_top_2"])
def test_an_activation_can_be_sent_to_another_process(name):
    sent = pickle.loads(pickle.dumps(activation_named(name)))
    assert sent.name == name
    assert torch.equal(sent.apply(table()), activation_named(name).apply(table()))
