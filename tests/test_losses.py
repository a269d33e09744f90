"""Losses and penalties against their equivalents in torch."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Normal
from torch.distributions import kl_divergence as torch_kl

from stacked.losses import (
    bernoulli_log_likelihood,
    binary_cross_entropy,
    gaussian_kl,
    gaussian_log_likelihood,
    jacobian_norm_squared,
    kl_divergence,
    kl_divergence_slope,
    l1_norm,
    softmax_cross_entropy,
    squared_error,
    unexplained_variance,
)

both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
TARGETS = [0.05, 0.1, 0.5, 0.9]


def random(*shape, dtype=torch.float64):
    return torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(len(shape)))


def pair(kind, dtype=torch.float64):
    """Logits (or outputs) and targets, shape (11, 5)."""
    logits = (random(11, 5, dtype=dtype) - 0.5) * 8
    if kind == "classes":
        return logits, F.one_hot(torch.arange(11) % 5, 5).to(dtype)
    return logits, random(5, 11, dtype=dtype).t().contiguous()


LOSSES = {
    "squared": (squared_error, lambda z, t: F.mse_loss(z, t, reduction="sum") / (2 * len(z)), "rows"),
    "binary": (
        binary_cross_entropy,
        lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="sum") / len(z),
        "rows",
    ),
    "softmax": (softmax_cross_entropy, lambda z, t: F.cross_entropy(z, t.argmax(dim=1)), "classes"),
}


@pytest.fixture(params=LOSSES)
def loss(request):
    """Ours, torch's, and the kind of target."""
    return LOSSES[request.param]


@both_dtypes
def test_a_loss_equals_torchs(loss, dtype):
    ours, theirs, kind = loss
    z, t = pair(kind, dtype)
    torch.testing.assert_close(ours(z, t), theirs(z, t))


def test_its_gradient_equals_torchs(loss):
    ours, theirs, kind = loss
    z, t = pair(kind)
    gradients = [
        torch.autograd.grad(f(leaf, t), leaf)[0] for f in (ours, theirs) for leaf in [z.clone().requires_grad_()]
    ]
    torch.testing.assert_close(*gradients)


def test_a_loss_of_the_same_rows_twice_is_the_same(loss):
    ours, _, kind = loss
    z, t = pair(kind)
    torch.testing.assert_close(ours(z.repeat(2, 1), t.repeat(2, 1)), ours(z, t))


def test_a_reconstruction_loss_is_summed_over_the_units():
    for ours, _, kind in LOSSES.values():
        z, t = pair(kind)
        if kind == "rows":
            torch.testing.assert_close(ours(z.repeat(1, 2), t.repeat(1, 2)), 2 * ours(z, t))


def test_a_squared_error_by_hand():
    output, target = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    assert squared_error(output, target).item() == (1 + 4 + 9) / (2 * 2)


@both_dtypes
@pytest.mark.parametrize(
    ("logit", "target", "expected"), [(1000, 1, 0), (-1000, 0, 0), (1000, 0, 1000), (-1000, 1, 1000)]
)
def test_a_binary_cross_entropy_of_extreme_logits_is_finite_and_right(logit, target, expected, dtype):
    z, t = torch.tensor([[logit]], dtype=dtype), torch.tensor([[target]], dtype=dtype)
    assert binary_cross_entropy(z, t).item() == expected


@pytest.mark.parametrize("logit", [-45.0, -41.0, -39.0, -20.0, -1.0, 0.0, 1.0, 20.0, 30.0, 39.0, 41.0, 45.0])
def test_a_binary_cross_entropy_is_exact_to_rounding(logit):
    z = torch.tensor([[logit]], dtype=torch.float64)
    exact = max(logit, 0) + math.log1p(math.exp(-abs(logit)))
    assert binary_cross_entropy(z, torch.zeros(1, 1, dtype=torch.float64)).item() == pytest.approx(exact, rel=1e-15)


def test_a_softmax_cross_entropy_of_extreme_logits_is_finite_and_right():
    z, t = torch.tensor([[1e4, 0.0, -1e4]]), torch.tensor([[0.0, 0.0, 1.0]])
    assert softmax_cross_entropy(z, t).item() == 2e4


def test_a_softmax_cross_entropy_of_equal_logits_is_the_logarithm_of_the_classes():
    loss = softmax_cross_entropy(torch.zeros(4, 10, dtype=torch.float64), torch.eye(10, dtype=torch.float64)[:4])
    assert loss.item() == pytest.approx(math.log(10), rel=1e-15)


@both_dtypes
@pytest.mark.parametrize("target", TARGETS)
def test_the_divergence_is_torchs_of_bernoulli_variables(target, dtype):
    mean = random(20, dtype=dtype) * 0.9 + 0.05
    expected = torch_kl(Bernoulli(torch.tensor(target, dtype=dtype)), Bernoulli(mean)).sum()
    torch.testing.assert_close(kl_divergence(mean, target), expected)


@both_dtypes
@pytest.mark.parametrize("target", TARGETS)
def test_the_divergence_is_zero_at_its_target(target, dtype):
    n = 20
    value = kl_divergence(torch.full((n,), target, dtype=dtype), target).item()
    assert abs(value) <= n * 4 * torch.finfo(dtype).eps


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("off", [-0.04, -0.01, 0.01, 0.09])
def test_the_divergence_is_positive_elsewhere(target, off):
    assert kl_divergence(torch.tensor([target + off], dtype=torch.float64), target).item() > 0


@pytest.mark.parametrize("target", TARGETS)
def test_the_slope_of_the_divergence_is_that_of_autograd(target):
    mean = (random(20) * 0.98 + 0.01).requires_grad_()
    expected = torch_kl(Bernoulli(torch.tensor(target, dtype=torch.float64)), Bernoulli(mean)).sum()
    torch.testing.assert_close(kl_divergence_slope(mean.detach(), target), torch.autograd.grad(expected, mean)[0])


@pytest.mark.parametrize("target", TARGETS)
def test_the_slope_points_away_from_the_target(target):
    below, at, above = kl_divergence_slope(torch.tensor([target / 2, target, (1 + target) / 2]).double(), target)
    assert below < 0 < above
    assert at.item() == pytest.approx(0, abs=1e-6)


@both_dtypes
def test_the_l1_norm_is_torchs_averaged_over_the_rows(dtype):
    codes = random(11, 5, dtype=dtype) - 0.5
    torch.testing.assert_close(l1_norm(codes), torch.linalg.vector_norm(codes, 1) / 11)


def test_the_l1_norm_has_slope_zero_at_zero():
    codes = torch.zeros(3, 2, requires_grad=True)
    l1_norm(codes).backward()
    assert (codes.grad == 0).all()


@both_dtypes
def test_the_gaussian_divergence_is_torchs_of_normal_variables(dtype):
    mean, log_variance = random(11, 5, dtype=dtype) * 4 - 2, random(5, 11, dtype=dtype).t() * 6 - 4
    posterior, prior = Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros_like(mean), 1.0)
    torch.testing.assert_close(gaussian_kl(mean, log_variance), torch_kl(posterior, prior).sum(dim=1))


def test_the_gaussian_divergence_of_the_prior_from_itself_is_zero():
    assert torch.equal(gaussian_kl(torch.zeros(3, 2), torch.zeros(3, 2)), torch.zeros(3))


@both_dtypes
def test_the_bernoulli_log_likelihood_is_torchs(dtype):
    logits, _ = pair("rows", dtype)
    target = random(11, 5, dtype=dtype).round()
    expected = Bernoulli(logits=logits).log_prob(target).sum(dim=1)
    torch.testing.assert_close(bernoulli_log_likelihood(logits, target), expected)


def test_the_bernoulli_log_likelihood_of_rows_is_their_binary_cross_entropy():
    z, t = pair("rows")
    torch.testing.assert_close(-bernoulli_log_likelihood(z, t).mean(), binary_cross_entropy(z, t))


@both_dtypes
@pytest.mark.parametrize("log_deviation", [-3.0, 0.0, 1.5])
def test_the_gaussian_log_likelihood_is_torchs(dtype, log_deviation):
    mean, target = pair("rows", dtype)
    log_deviation = torch.tensor(log_deviation, dtype=dtype)
    expected = Normal(mean, log_deviation.exp()).log_prob(target).sum(dim=1)
    torch.testing.assert_close(gaussian_log_likelihood(mean, target, log_deviation), expected)


def test_the_gaussian_log_likelihood_is_largest_at_the_deviation_of_the_residuals():
    mean, target = pair("rows")
    log_deviation = (mean - target).square().mean().sqrt().log().requires_grad_()
    gaussian_log_likelihood(mean, target, log_deviation).sum().backward()
    assert log_deviation.grad.item() == pytest.approx(0, abs=1e-12)


def test_the_norm_of_the_jacobian_is_that_of_the_matrix():
    slopes, weight = random(11, 5), random(5, 11).contiguous()
    norms = torch.linalg.matrix_norm(slopes[:, :, None] * weight, ord="fro")
    torch.testing.assert_close(jacobian_norm_squared(slopes, weight), norms.square().mean())


def test_the_unexplained_variance_is_numpys():
    output, target = pair("rows")
    expected = np.sum((output - target).numpy() ** 2) / np.sum(np.var(target.numpy(), axis=0) * 11)
    assert unexplained_variance(output, target).item() == pytest.approx(expected, rel=1e-12)


def test_the_mean_row_leaves_all_variance_unexplained_and_the_rows_themselves_none():
    _, target = pair("rows")
    assert unexplained_variance(target.mean(dim=0).expand(11, 5), target).item() == pytest.approx(1, rel=1e-12)
    assert unexplained_variance(target, target).item() == 0


@both_dtypes
@pytest.mark.parametrize("value", [0.0, 0.1, 0.3, 0.7, 1e4])
@pytest.mark.parametrize("n", [1, 3, 130, 1000])
def test_rows_that_are_all_alike_have_no_variance_to_explain(dtype, value, n):
    rows = torch.full((n, 5), value, dtype=dtype)
    assert unexplained_variance(rows + 1, rows).item() == 0


def test_the_unexplained_variance_of_rows_far_from_zero_is_exact_to_rounding():
    output, target = (table + 4096 for table in pair("rows", torch.float32))
    expected = unexplained_variance(output.double(), target.double()).float()
    torch.testing.assert_close(unexplained_variance(output, target), expected)
