"""Columns of frames are found by name, in whatever order they come."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stacked import (
    Denoising,
    FeedforwardClassifier,
    FeedforwardRegressor,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    load,
    save,
)
from stacked.frames import columns_of
from stacked.seeds import fit_stacks

BRIEFLY = TrainingConfig(epochs=2, batch_size=10)
X = np.random.default_rng(0).random((40, 3)) * [1, 10, 100]
LABELS = (X[:, 0] > 0.5).astype(int)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
SHUFFLED = FRAME.assign(extra=1.0, words="w")[["c", "words", "b", "extra", "a"]]
KINDS = {
    "pandas": SHUFFLED,
    "polars": pl.DataFrame({name: SHUFFLED[name].to_numpy() for name in SHUFFLED}),
    "pyarrow": pa.table({name: SHUFFLED[name].to_numpy() for name in SHUFFLED}),
}


def trained(x=FRAME, **more):
    stack = StackedAutoencoder([Denoising(4), Denoising(2)], BRIEFLY, scaling="min_max")
    return stack.fit(x, progress=False, **more)


@pytest.fixture(scope="module")
def stack():
    return trained()


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_finds_its_columns_by_name(stack, kind):
    np.testing.assert_array_equal(stack.encode(KINDS[kind]), stack.encode(X))
    np.testing.assert_array_equal(stack.reconstruct(KINDS[kind]), stack.reconstruct(X))
    np.testing.assert_array_equal(stack[:1].encode(KINDS[kind]), stack.encode(X, depth=1))


def test_names_are_noted_and_saved(stack, tmp_path):
    assert (stack.provenance.columns, stack.provenance.n_rows) == (("a", "b", "c"), 40)
    loaded = load(save(stack, tmp_path / "stack"))
    np.testing.assert_array_equal(loaded.encode(SHUFFLED), stack.encode(X))
    assert "40 rows." in (tmp_path / "stack" / "model_card.md").read_text()


def test_training_is_the_same_whatever_the_order_of_validation_rows(stack):
    beside, reordered = (trained(validation=frame) for frame in (FRAME, SHUFFLED))
    losses = [[record["validation_loss"] for record in each.histories[0]] for each in (beside, reordered)]
    assert losses[0] == losses[1]


def test_fine_tuning_all_layers_finds_columns_by_name():
    codes = [trained().fine_tune(x, BRIEFLY, progress=False).encode(X) for x in (X, SHUFFLED)]
    np.testing.assert_array_equal(*codes)


def test_a_deep_autoencoder_from_random_weights_notes_its_columns():
    deep = StackedAutoencoder([Denoising(4), Denoising(2)], scaling="min_max").draw(3)
    deep.fine_tune(FRAME, BRIEFLY, progress=False)
    np.testing.assert_array_equal(deep.encode(SHUFFLED), deep.encode(X))


@pytest.mark.parametrize("kind", [FeedforwardClassifier, FeedforwardRegressor])
def test_a_network_takes_the_columns_of_the_stack(stack, kind):
    networks = [kind.from_stack(stack, n).fit(x, LABELS, BRIEFLY, progress=False) for n, x in cases(kind)]
    np.testing.assert_array_equal(networks[0].predict(X), networks[1].predict(SHUFFLED))
    np.testing.assert_array_equal(networks[0].hidden(X), networks[1].hidden(SHUFFLED))
    assert (networks[1].provenance.n_rows, networks[1].provenance.n_labelled) == (40, 40)


def cases(kind):
    n_outputs = 2 if kind is FeedforwardClassifier else 1
    return (n_outputs, X), (n_outputs, SHUFFLED)


def test_a_network_of_its_own_notes_its_columns():
    network = FeedforwardClassifier([3, 4, 2], scaling="min_max")
    network.fit(FRAME, LABELS, BRIEFLY, validation=(SHUFFLED, LABELS), progress=False)
    last = network.history.records[-1]
    assert last["validation_error_rate"] == pytest.approx(network.error_rate(X, LABELS))
    np.testing.assert_array_equal(network.predict_proba(SHUFFLED), network.predict_proba(X))


def test_stacks_that_train_together_note_their_columns():
    stacks = [StackedAutoencoder([Denoising(4), Denoising(2)], BRIEFLY, seed=s, scaling="min_max") for s in (0, 1)]
    assert fit_stacks(stacks, FRAME) == [None, None]
    np.testing.assert_array_equal(stacks[0].encode(SHUFFLED), trained().encode(X))


def test_random_layers_know_no_columns(stack):
    drawn = trained().draw(2)
    assert drawn.provenance.columns == ()
    assert drawn.scaling is None
    assert drawn.encode(X[:, :2]).shape == (40, 2)


def test_a_frame_without_names_is_taken_as_it_comes(stack):
    unnamed = pd.DataFrame(X)
    assert columns_of(unnamed) == ()
    np.testing.assert_array_equal(stack.encode(unnamed), stack.encode(X))


def test_a_frame_without_one_of_the_columns_is_refused(stack):
    with pytest.raises(StackedError, match=r"expected a column named 'c', received a table of 'a', 'b', 'C'.*'C' is"):
        stack.encode(FRAME.rename(columns={"c": "C"}))


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(StackedError, match="x: expected each column once, received several named 'a'"):
        trained(pd.concat([FRAME, FRAME[["a"]]], axis=1))
