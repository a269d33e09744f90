"""Input scaling: what it is, that nothing is lost on the way, and that models carry it along."""

import h5py
import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import device

from stacked import (
    FeedforwardClassifier,
    Plain,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    load,
    load_hdf5,
    load_stack,
    save,
)
from stacked.rows import read_tensor
from stacked.scaled_rows import ScaledRows
from stacked.scaling import from_description, learnt_scaling, to_description
from stacked.seeds import fit_classifiers, fit_stacks

SKLEARN = {"min_max": MinMaxScaler, "standard": StandardScaler}
BRIEF = TrainingConfig(epochs=2, batch_size=50)


def table(n=300, n_columns=6, dtype="f8", seed=0):
    random = np.random.default_rng(seed)
    rows = random.normal(random.normal(0, 50, n_columns), random.uniform(0.1, 1000, n_columns), (n, n_columns))
    rows[:, 2] = 7.5
    return rows.astype(dtype)


@pytest.mark.parametrize("kind", SKLEARN)
@pytest.mark.parametrize("n", [2, 300, 10_000])
def test_it_is_that_of_scikit_learn(kind, n):
    x = table(n)
    scaled = learnt_scaling(kind, x).of(x, torch.float64)[:]
    assert scaled == pytest.approx(SKLEARN[kind]().fit_transform(x), abs=1e-12)


@pytest.mark.parametrize("kind", SKLEARN)
def test_a_large_offset_costs_no_digits(kind):
    """Seconds since 1970 that differ by milliseconds: float32 alone would make one number of all."""
    x = 1.7e9 + np.linspace(0, 1, 1000)[:, None] * np.ones(3)
    scaled = learnt_scaling(kind, x).of(x, torch.float32)[:]
    assert scaled == pytest.approx(SKLEARN[kind]().fit_transform(x - 1.7e9), abs=1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u1", "f2"])
@pytest.mark.parametrize("to", ["float32", "float64"])
def test_scaled_rows_are_numpys_whoever_reads_them(dtype, to):
    x = np.random.default_rng(0).uniform(0, 200, (50, 4)).astype(dtype)
    shift, divisor = np.array([0.5, 0, 100, 3]), np.array([3.0, 7, 1, 0.1])
    rows = ScaledRows(x, divisor, to, shift)
    work = to if x.dtype in (np.float32, np.uint8) else "f8"
    expected = ((x.astype(work) - shift.astype(work)) / divisor.astype(work)).astype(to)
    assert np.array_equal(rows[3:20], expected[3:20])
    assert np.array_equal(np.asarray(rows), expected)
    assert np.array_equal(
        read_tensor(rows, slice(0, 50), torch.float64, device("cpu")).numpy(), expected.astype("f8")
    )


def test_scaled_rows_may_be_scaled_again():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 5)).astype("u1")
    inner = ScaledRows(pixels, 255)
    outer = ScaledRows(inner, 2.0, "float32", np.arange(5.0))
    assert outer.stored is pixels
    expected = (pixels / np.float32(255) - np.arange(5, dtype="f4")) / np.float32(2)
    assert np.array_equal(outer[:], expected)


@pytest.mark.parametrize("kind", SKLEARN)
def test_a_stack_learns_it_and_takes_raw_rows(kind, tmp_path):
    x = table()
    stack = StackedAutoencoder([Plain(5, output="linear"), Plain(3)], BRIEF, scaling=kind).fit(x[:200])
    by_hand = SKLEARN[kind]().fit(x[:200])
    same = StackedAutoencoder([Plain(5, output="linear"), Plain(3)], BRIEF).fit(by_hand.transform(x[:200]))
    assert stack.encode(x) == pytest.approx(same.encode(by_hand.transform(x)), abs=1e-5)
    undone = by_hand.inverse_transform(same.reconstruct(by_hand.transform(x)).astype("f8"))
    assert stack.reconstruct(x) == pytest.approx(undone, rel=1e-4, abs=1e-2)
    assert np.array_equal(stack.decode(stack.encode(x)), stack.reconstruct(x))
    loaded = load_stack(save(stack, tmp_path / "stack"))
    assert np.array_equal(loaded.encode(x), stack.encode(x))
    assert np.array_equal(stack[:1].encode(x), stack.encode(x, depth=1))


def test_reconstructions_keep_the_digits_of_large_numbers():
    x = np.random.default_rng(0).random((200, 3))
    layers = [Plain(2)], TrainingConfig(epochs=5, batch_size=20)
    near, far = (StackedAutoencoder(*layers, scaling="min_max").fit(x + offset) for offset in (0, 1.7e9))
    assert far.reconstruct(x + 1.7e9).dtype == np.float64
    assert far.reconstruct(x + 1.7e9) - 1.7e9 == pytest.approx(near.reconstruct(x), abs=1e-5)


def test_what_is_planned_goes_with_the_model(tmp_path):
    stack = StackedAutoencoder([Plain(4)], BRIEF, scaling="min_max").draw(6)
    network = FeedforwardClassifier([6, 3, 2], scaling="standard")
    assert load(save(stack, tmp_path / "stack")).scaling_kind == "min_max"
    assert load(save(network, tmp_path / "network")).scaling_kind == "standard"
    above = FeedforwardClassifier.from_stack(stack, 2).fit(table(), np.arange(300) % 2, BRIEF)
    np.testing.assert_array_equal(above.scaling.scale, learnt_scaling("min_max", table()).scale)


def test_codes_do_not_depend_on_where_the_rows_lie(tmp_path):
    x = table(dtype="f4")
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("chunked", data=x, chunks=(32, 6), compression="gzip")
        file["plain"] = x
    codes = []
    for rows in (x, *(load_hdf5(tmp_path / "rows.h5", name) for name in ("chunked", "plain"))):
        stack = StackedAutoencoder([Plain(4)], BRIEF, scaling="min_max", cache=tmp_path / "codes").fit(rows)
        codes.append(np.array(stack.encode(rows)))
    assert np.array_equal(codes[0], codes[1])
    assert np.array_equal(codes[0], codes[2])


def test_codes_do_not_depend_on_the_order_of_memory():
    x = np.random.default_rng(0).random((300, 30))
    stack = StackedAutoencoder([Plain(8)], BRIEF, scaling="min_max").fit(x)
    assert np.array_equal(stack.encode(np.asfortranarray(x)), stack.encode(x))


def test_validation_rows_may_leave_the_range():
    x = table()
    layers = [Plain(4, loss="cross_entropy")]
    stack = StackedAutoencoder(layers, BRIEF, scaling="min_max").fit(x, validation=2 * x)
    assert np.isfinite(stack.histories[0]["validation_loss"]).all()


def test_a_classifier_takes_over_the_scaling_of_its_stack(tmp_path):
    x, y = table(), np.arange(300) % 3
    stack = StackedAutoencoder([Plain(5, output="linear")], BRIEF, scaling="standard").fit(x)
    classifier = FeedforwardClassifier.from_stack(stack, 3)
    assert np.array_equal(classifier.hidden(x), stack.encode(x))
    classifier.fit(x * 1000, y, BRIEF)
    assert classifier.scaling is stack.scaling  # it was learnt before
    loaded = load(save(classifier, tmp_path / "classifier"))
    assert np.array_equal(loaded.outputs(x), classifier.outputs(x))


def test_a_classifier_of_its_own_learns_one():
    x, y = table(), np.arange(300) % 3
    classifier = FeedforwardClassifier((6, 5, 3), scaling="standard").fit(x, y, BRIEF)
    by_hand = StandardScaler().fit(x)
    same = FeedforwardClassifier((6, 5, 3)).fit(by_hand.transform(x), y, BRIEF)
    assert classifier.outputs(x) == pytest.approx(same.outputs(by_hand.transform(x)), abs=1e-5)


def test_what_fails_leaves_no_scaling_behind():
    classifier = FeedforwardClassifier((6, 5, 3), scaling="standard")
    with pytest.raises(StackedError, match="labels: expected shape"):
        classifier.fit(table(), np.arange(5), BRIEF)
    assert classifier.scaling is None


def test_seeds_that_train_together_learn_the_same():
    x, y = table(), np.arange(300) % 3
    alone = StackedAutoencoder([Plain(5)], BRIEF, seed=1, scaling="min_max").fit(x)
    both = [StackedAutoencoder([Plain(5)], BRIEF, seed=seed, scaling="min_max") for seed in (0, 1)]
    assert fit_stacks(both, x) == [None, None]
    assert np.array_equal(both[1].encode(x), alone.encode(x))
    networks = [FeedforwardClassifier((6, 5, 3), seed=seed, scaling="min_max") for seed in (0, 1)]
    assert fit_classifiers(networks, x, y, BRIEF) == [None, None]
    assert np.array_equal(
        networks[1].outputs(x),
        FeedforwardClassifier((6, 5, 3), seed=1, scaling="min_max").fit(x, y, BRIEF).outputs(x),
    )


def test_what_is_not_finite_is_named_where_it_stands():
    x = table()
    x[7, 3] = np.nan
    with pytest.raises(StackedError, match="x: expected finite numbers, received nan in row 7, column 3; "):
        StackedAutoencoder([Plain(5)], BRIEF, scaling="min_max").fit(x)


def test_unknown_kinds_are_refused():
    with pytest.raises(
        StackedError, match="scaling: expected one of 'none', 'min_max', 'standard', received 'minmax'"
    ):
        StackedAutoencoder([Plain(5)], BRIEF, scaling="minmax")


def test_a_description_gives_the_same_bits():
    scaling = learnt_scaling("standard", table())
    again = from_description(to_description(scaling), 6)
    assert np.array_equal(again.shift, scaling.shift)
    assert np.array_equal(again.scale, scaling.scale)


@pytest.mark.parametrize(
    "described",
    [
        [],
        {"kind": "standard"},
        {"kind": "standard", "shift": [0.0], "scale": [1.0]},
        {"kind": "standard", "shift": [0.0] * 2, "scale": [1.0, 0.0]},
        {"kind": "standard", "shift": [0.0, "a"], "scale": [1.0, 1.0]},
        {"kind": "other", "shift": [0.0] * 2, "scale": [1.0] * 2},
    ],
)
def test_a_broken_description_is_refused(described):
    with pytest.raises(StackedError, match=r"(scaling|scale): expected"):
        from_description(described, 2)
