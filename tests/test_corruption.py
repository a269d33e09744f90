"""Corruption of rows: how often, how much, and what it leaves alone."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats

from stacked import Denoising, Gaussian, Masking, SaltAndPepper
from stacked.errors import StackedError
from stacked.randomness import DeviceStream, HostStream

SHAPE = (2000, 100)
N = math.prod(SHAPE)
ROUNDING = 2**-17  # a probability is kept to half a step of 16 bits
FRACTIONS = [0.5, 0.3, 0.1]
STREAMS = {"host": HostStream, "device": lambda name: DeviceStream(name, torch.device("cpu"))}
CORRUPTIONS = [Masking(0.3), Masking(0.5), Gaussian(0.2), SaltAndPepper(0.2)]

each = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=repr)
both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


@pytest.fixture(params=STREAMS)
def stream(request):
    """A random stream of each kind."""
    return STREAMS[request.param]("noise")


def clean(dtype=torch.float32, shape=SHAPE):
    """Rows strictly between 0 and 1."""
    numbers = np.random.default_rng(5).uniform(0.01, 0.99, shape)
    return torch.from_numpy(numbers).to(dtype)


def within(share, p, n):
    """Whether a share of n independent events lies within 5 standard errors of its probability."""
    return abs(share - p) <= 5 * math.sqrt(p * (1 - p) / n) + ROUNDING


@each
@both_dtypes
def test_the_clean_rows_are_left_as_they_are(corruption, dtype, stream):
    x = clean(dtype)
    corruption(x, stream)
    assert torch.equal(x, clean(dtype))


@each
@both_dtypes
def test_corrupted_rows_are_new_and_of_the_same_kind(corruption, dtype, stream):
    x = clean(dtype)
    corrupted = corruption(x, stream)
    assert corrupted.data_ptr() != x.data_ptr()
    assert (corrupted.shape, corrupted.dtype) == (x.shape, x.dtype)


@each
def test_every_call_draws_fresh_noise(corruption, stream):
    x = clean()
    first, second = corruption(x, stream), corruption(x, stream)
    hit = (first != x, second != x)
    assert not torch.equal(first, second)
    if not isinstance(corruption, Gaussian):
        p = float(hit[0].double().mean())
        assert within(float((hit[0] & hit[1]).double().mean()), p * float(hit[1].double().mean()), N)


@each
def test_the_stream_determines_the_noise(corruption):
    assert torch.equal(corruption(clean(), HostStream("a")), corruption(clean(), HostStream("a")))
    assert not torch.equal(corruption(clean(), HostStream("a")), corruption(clean(), HostStream("b")))


@both_dtypes
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_masking_sets_its_fraction_to_zero_and_does_not_rescale_the_rest(fraction, dtype, stream):
    x = clean(dtype)
    corrupted = Masking(fraction)(x, stream)
    dropped = corrupted == 0
    assert within(float(dropped.double().mean()), fraction, N)
    assert torch.equal(corrupted[~dropped], x[~dropped])


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("dim", [0, 1])
def test_masking_hits_every_row_and_column_alike(fraction, dim, stream):
    dropped = (Masking(fraction)(clean(), stream) == 0).double()
    n = SHAPE[dim]
    counts = dropped.sum(dim=dim).numpy()
    # The variance of the counts is that of a binomial variable: chi-square, two-sided.
    statistic = ((counts - n * fraction) ** 2).sum() / (n * fraction * (1 - fraction))
    chi2 = stats.chi2(len(counts))
    assert chi2.isf(1 - 1e-6) < statistic < chi2.isf(1e-6)


def test_masking_keeps_negative_values():
    x = -clean()
    corrupted = Masking(0.5)(x, HostStream("a"))
    assert torch.equal(corrupted[corrupted != 0], x[corrupted != 0])
    assert 0 < int((corrupted == 0).sum()) < N


@pytest.mark.parametrize("corruption", [Masking(0), Gaussian(0), SaltAndPepper(0)], ids=repr)
def test_no_noise_leaves_the_values(corruption, stream):
    assert torch.equal(corruption(clean(), stream), clean())


@pytest.mark.parametrize("one", [1, 1.0, np.int64(1), np.float32(1), Fraction(1)], ids=repr)
def test_masking_everything_leaves_zeros(one, stream):
    assert (Masking(one)(clean(), stream) == 0).all()


@pytest.mark.parametrize("half", [np.float16(0.5), np.float64(0.5), Fraction(1, 2)], ids=repr)
@pytest.mark.parametrize("kind", [Masking, SaltAndPepper])
def test_a_fraction_is_any_real_number(kind, half):
    assert torch.equal(kind(half)(clean(), HostStream("a")), kind(0.5)(clean(), HostStream("a")))


@both_dtypes
@pytest.mark.parametrize("sigma", [0.05, 0.5, 3.0])
def test_gaussian_noise_is_normal_with_its_standard_deviation(sigma, dtype, stream):
    x = clean(dtype)
    noise = (Gaussian(sigma)(x, stream) - x).double().numpy()
    assert abs(noise.mean()) < 5 * sigma / math.sqrt(N)
    assert abs(noise.var() - sigma**2) < 5 * sigma**2 * math.sqrt(2 / N)
    assert stats.kstest(noise.ravel()[:20_000], stats.norm(0, sigma).cdf).pvalue > 1e-6


def test_gaussian_noise_does_not_depend_on_the_rows(stream):
    x = clean()
    noise = Gaussian(0.5)(x, stream) - x
    assert abs(np.corrcoef(x.flatten(), noise.flatten())[0, 1]) < 5 / math.sqrt(N)


@both_dtypes
@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (-2.0, 4.0)])
def test_salt_and_pepper_replaces_its_fraction_by_either_value_and_leaves_the_rest(
    fraction, low, high, dtype, stream
):
    x = clean(dtype)
    corrupted = SaltAndPepper(fraction, low, high)(x, stream)
    salt, pepper = corrupted == high, corrupted == low
    hit = salt | pepper
    assert within(float(hit.double().mean()), fraction, N)
    assert within(float(salt.double().sum() / hit.sum()), 0.5, int(hit.sum()))
    assert torch.equal(corrupted[~hit], x[~hit])


def test_salt_and_pepper_of_everything_leaves_only_the_two_values(stream):
    corrupted = SaltAndPepper(1.0, -1.0, 2.0)(clean(), stream)
    assert set(corrupted.unique().tolist()) == {-1.0, 2.0}


def test_values_that_are_no_binary_fractions_are_hit_to_rounding(stream):
    corrupted = SaltAndPepper(1.0, 0.1, 0.7)(clean(torch.float64), stream)
    near = [(corrupted - value).abs() < 1e-15 for value in (0.1, 0.7)]
    assert (near[0] | near[1]).all()


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=repr)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 13)])
def test_batches_of_any_shape_are_corrupted(corruption, shape, stream):
    assert corruption(clean(shape=shape), stream).shape == shape


def test_a_denoising_layer_is_given_corrupted_rows_and_keeps_the_clean_target():
    layer = Denoising(4, corruption=Masking(0.5)).build(SHAPE[1], torch.float32)
    batch = layer.prepare(clean(), None, HostStream("noise"))
    assert torch.equal(batch.target, clean())
    assert within(float((batch.inputs == 0).double().mean()), 0.5, N)


def test_a_denoising_layer_without_noise_is_given_clean_rows():
    layer = Denoising(4, corruption=Masking(0.5)).build(SHAPE[1], torch.float32)
    assert torch.equal(layer.prepare(clean(), None, None).inputs, clean())


@pytest.mark.parametrize("kind", [Masking, SaltAndPepper])
@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan, "0.5", None, True])
def test_a_fraction_lies_between_zero_and_one(kind, fraction):
    with pytest.raises(StackedError, match="fraction: expected a number from 0 to 1"):
        kind(fraction)


@pytest.mark.parametrize("sigma", [-0.1, math.inf, math.nan, "1"])
def test_a_standard_deviation_is_not_negative(sigma):
    with pytest.raises(StackedError, match="standard_deviation: expected a number of at least 0"):
        Gaussian(sigma)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 0), (math.nan, 1), (0, math.inf), (-math.inf, 0)])
def test_low_and_high_are_finite_and_in_order(low, high):
    with pytest.raises(StackedError, match=r"^(low|high|low, high): expected"):
        SaltAndPepper(0.1, low, high)
