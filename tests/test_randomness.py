"""Random streams: named, independent of each other, and of the right distributions."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from stacked.errors import StackedError
from stacked.randomness import DeviceStream, HostStream, Randomness, Seeded, randomness_of

N = 100_000
SMALLEST_P = 1e-6
KINDS = {"host": HostStream, "device": lambda name: DeviceStream(name, torch.device("cpu"))}
DRAWS = {
    "permutation": lambda stream: stream.permutation(50),
    "uniform": lambda stream: stream.uniform_(torch.empty(5, 7), -1, 1),
    "normal": lambda stream: stream.normal(torch.empty(5, 7)),
    "mask-8-bits": lambda stream: stream.keep_mask(torch.empty(9, 9), 0.5),
    "mask-16-bits": lambda stream: stream.keep_mask(torch.empty(9, 9), 0.3),
}
PURPOSES = [(), ("a",), ("b",), ("layer", 1, "noise"), ("layer", 1, "shuffle"), ("layer", 2, "noise"), ("layer", 11)]


@pytest.fixture(params=KINDS)
def kind(request):
    """Makes a stream of a name, on each kind of place."""
    return KINDS[request.param]


@pytest.fixture(params=DRAWS)
def draw(request):
    """One of the things that can be drawn from a stream."""
    return DRAWS[request.param]


def standard_error(p):
    return math.sqrt(p * (1 - p) / N)


def test_the_same_name_gives_the_same_numbers(kind, draw):
    first, second = kind("x"), kind("x")
    for _ in range(3):
        assert torch.equal(draw(first), draw(second))


def test_another_name_gives_other_numbers(kind, draw):
    assert not torch.equal(draw(kind("x")), draw(kind("y")))


def test_a_stream_moves_on(kind, draw):
    stream = kind("x")
    assert not torch.equal(draw(stream), draw(stream))


def test_seed_and_purpose_determine_the_numbers(draw):
    assert torch.equal(draw(Seeded(3).stream("a", 1)), draw(Seeded(3).stream("a", 1)))


def test_every_purpose_and_seed_has_its_own_numbers(draw):
    drawn = [draw(Seeded(seed).stream(*purpose)) for seed in (0, 1, 11) for purpose in PURPOSES]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(drawn, 2))


def test_drawing_from_one_stream_leaves_another_alone(draw):
    alone, beside = Seeded(0).stream("a"), Seeded(0).stream("a")
    other = Seeded(0).stream("b")
    for _ in range(3):
        draw(other)
        assert torch.equal(draw(alone), draw(beside))
        other.permutation(100)


def test_streams_of_one_source_do_not_depend_on_the_order_they_are_asked_for(draw):
    source = Seeded(0)
    first, second = source.stream("a"), source.stream("b")
    drawn = draw(first), draw(second)
    source = Seeded(0)
    second, first = source.stream("b"), source.stream("a")
    assert torch.equal(draw(second), drawn[1])
    assert torch.equal(draw(first), drawn[0])


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, "layer", 1), (0, "layer", 2)), ((0, "a"), (1, "a")), ((0, "noise"), (0, "shuffle"))],
)
def test_numbers_of_two_streams_are_uncorrelated(first, second):
    x, y = (Seeded(seed).stream(*purpose).normal(torch.empty(N)).numpy() for seed, *purpose in (first, second))
    assert abs(np.corrcoef(x, y)[0, 1]) < 5 / math.sqrt(N)


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_a_permutation_holds_every_integer_once(kind, n):
    order = kind("x").permutation(n)
    assert order.dtype == torch.int64
    assert order.device.type == "cpu"
    assert sorted(order.tolist()) == list(range(n))


def test_all_permutations_are_equally_frequent(kind):
    stream = kind("x")
    drawn = [tuple(stream.permutation(3).tolist()) for _ in range(6000)]
    counts = [drawn.count(order) for order in itertools.permutations(range(3))]
    assert sum(counts) == 6000
    assert stats.chisquare(counts).pvalue > SMALLEST_P


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.25, 0.25), (3, 7)])
def test_uniform_numbers_are_uniform(kind, low, high, dtype):
    out = torch.empty(N, dtype=dtype)
    assert kind("x").uniform_(out, low, high) is out
    assert out.min() >= low
    assert out.max() <= high
    assert stats.kstest(out.numpy(), stats.uniform(low, high - low).cdf).pvalue > SMALLEST_P


def test_uniform_numbers_fill_a_parameter_in_place(kind):
    parameter = torch.nn.Parameter(torch.zeros(3, 4))
    with torch.no_grad():
        kind("x").uniform_(parameter, 1, 2)
    assert (parameter >= 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normal_numbers_are_standard_normal(kind, dtype):
    numbers = kind("x").normal(torch.empty(N // 10, 10, dtype=dtype))
    assert numbers.shape == (N // 10, 10)
    assert numbers.dtype == dtype
    assert stats.kstest(numbers.flatten().numpy(), stats.norm.cdf).pvalue > SMALLEST_P


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("drop", [0.5, 0.25, 0.3, 0.1, 1 / 3, 0.01, 0.99, 1 / 256, 255 / 256])
def test_a_mask_drops_with_its_probability(kind, drop, dtype):
    mask = kind("x").keep_mask(torch.empty(N, dtype=dtype), drop)
    assert mask.dtype == dtype
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    rounding = 2**-17  # half a step of 16 bits
    assert abs(float(mask.double().mean()) - (1 - drop)) < 5 * standard_error(drop) + rounding


@pytest.mark.parametrize(("drop", "expected"), [(0, 1.0), (1, 0.0), (0.0, 1.0), (1.0, 0.0)])
def test_a_mask_of_a_certain_outcome_is_constant(kind, drop, expected):
    assert (kind("x").keep_mask(torch.empty(1000), drop) == expected).all()


@pytest.mark.parametrize("drop", [0.5, 0.3])
@pytest.mark.parametrize("shape", [(1,), (1, 1), (3, 5), (8, 8), (7, 13), (2, 3, 4)])
def test_a_mask_has_the_shape_asked_for(kind, shape, drop):
    mask = kind("x").keep_mask(torch.empty(shape), drop)
    assert mask.shape == shape
    assert ((mask == 0) | (mask == 1)).all()


@pytest.mark.parametrize("drop", [0.5, 0.3])
@pytest.mark.parametrize("lag", [1, 2, 4, 8])
def test_elements_of_a_mask_are_independent_of_those_nearby(kind, drop, lag):
    mask = kind("x").keep_mask(torch.empty(N), drop).double().numpy()
    assert abs(np.corrcoef(mask[:-lag], mask[lag:])[0, 1]) < 5 / math.sqrt(N - lag)


@pytest.mark.parametrize("drop", [0.5, 0.3])
def test_a_mask_does_not_depend_on_what_is_masked(kind, drop):
    tensors = torch.zeros(20, 30), torch.full((20, 30), math.nan), torch.rand(20, 30, generator=torch.Generator())
    masks = [kind("x").keep_mask(tensor, drop) for tensor in tensors]
    assert all(torch.equal(masks[0], mask) for mask in masks)


def test_a_seed_of_numpy_is_that_number(draw):
    assert torch.equal(draw(Seeded(np.int64(5)).stream("a")), draw(Seeded(5).stream("a")))


@pytest.mark.parametrize("seed", [-1, 1.0, True, "0", None])
def test_a_seed_is_a_whole_number_from_zero(seed):
    with pytest.raises(StackedError, match="seed: expected a whole number of at least 0"):
        randomness_of(seed)


def test_a_source_of_streams_serves_as_seed():
    class Mine(Randomness):
        def stream(self, *purpose, device="cpu"):
            return HostStream("mine")

    mine = Mine()
    assert randomness_of(mine) is mine


def test_streams_for_the_cpu_are_drawn_on_the_host():
    assert isinstance(Seeded(0).stream("a"), HostStream)
    assert isinstance(Seeded(0).stream("a", device=torch.device("cpu")), HostStream)
