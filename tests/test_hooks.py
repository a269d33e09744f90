"""What the loop tells a model: how far it is, when a step is over, and what its training rows look like."""

import json

import numpy as np
import pytest
import torch
from conftest import KINDS

from stacked import (
    LBFGS,
    SGD,
    Callback,
    Contractive,
    KLSparsity,
    L1Sparsity,
    Plain,
    Sparse,
    StackedAutoencoder,
    TopK,
    TrainingConfig,
    Variational,
    load_stack,
    save,
)
from stacked.autoencoders.dense import DenseAutoencoder
from stacked.examples import Examples
from stacked.randomness import Seeded
from stacked.streams import Streams
from stacked.training import Training


class Watched(DenseAutoencoder):
    """A plain layer that writes down what it is told."""

    def __init__(self, sample_size=50):
        super().__init__(Plain(7), 12, torch.float64)
        self.draw(Seeded(0).stream("weights"))
        self.sample_size = sample_size
        self.told, self.samples, self.revived = [], [], []

    def advance(self, epochs):
        self.told.append(epochs)

    def prepare(self, x, labels, noise):
        self.told.append("step")
        return super().prepare(x, labels, noise)

    def constrain(self):
        self.told.append("constrain")

    def inspect(self, sample):
        self.samples.append(sample.clone())
        return {"largest": sample.max()}

    def revive(self, sample, noise):
        self.revived.append(len(self.samples))


def watched(rows, config, sample_size=50, callbacks=()):
    model = Watched(sample_size)
    streams = Streams.of(Seeded(0), "test", device=torch.device("cpu"))
    history = Training(model, config, streams, callbacks).fit(Examples.all_of(rows))
    return model, history


def test_every_step_is_preceded_by_how_far_it_is_and_followed_by_the_constraint(rows):
    model, _ = watched(rows, TrainingConfig(epochs=3, batch_size=40))
    passed = [epoch + start / 130 for epoch in range(3) for start in (0, 40, 80, 120)]
    assert model.told[0::3] == pytest.approx(passed)
    assert model.told[1::3] == ["step"] * 12
    assert model.told[2::3] == ["constrain"] * 12


def test_the_sample_is_the_first_rows_of_the_first_epoch_every_time(rows):
    model, history = watched(rows, TrainingConfig(epochs=3, batch_size=20))
    order = Seeded(0).stream("test", "shuffle").permutation(130)
    expected = torch.from_numpy(rows)[order[:50]].double()
    assert len(model.samples) == 3
    assert all(torch.equal(sample, expected) for sample in model.samples)
    assert history["largest"] == [expected.max().item()] * 3


def test_a_sample_of_fewer_rows_than_asked_for_has_every_row_once(rows):
    model, _ = watched(rows, TrainingConfig(epochs=3, batch_size=20), sample_size=4096)
    for sample in model.samples:
        assert sorted(map(tuple, sample.tolist())) == sorted(map(tuple, rows.astype(float).tolist()))


def test_the_sample_has_no_validation_rows(rows):
    config = TrainingConfig(epochs=1, batch_size=20, validation_fraction=0.5)
    model, _ = watched(rows, config, sample_size=4096)
    rest, _ = Examples.all_of(rows).split(0.5, Seeded(0).stream("test", "validation"))
    expected = rows[rest.numbers.numpy()].astype(float)
    assert sorted(map(tuple, model.samples[0].tolist())) == sorted(map(tuple, expected.tolist()))


def test_a_model_that_wants_no_sample_is_given_none(rows):
    model, history = watched(rows, TrainingConfig(epochs=2, batch_size=20), sample_size=0)
    assert (model.samples, model.revived) == ([], [])
    assert "largest" not in history.records[0]


def test_units_are_revived_between_epochs_only(rows):
    class Stop(Callback):
        def on_epoch(self, training, record):
            training.stopping = record["epoch"] == 2

    assert watched(rows, TrainingConfig(epochs=3, batch_size=20))[0].revived == [1, 2]
    assert watched(rows, TrainingConfig(epochs=1, batch_size=20))[0].revived == []
    assert watched(rows, TrainingConfig(epochs=9, batch_size=20), callbacks=[Stop()])[0].revived == [1]


def test_every_epoch_has_the_same_figures_and_all_are_numbers_of_json(settings, rows):
    config = TrainingConfig(epochs=3, batch_size=20, optimizer=SGD(0.05))
    history = StackedAutoencoder([settings], config).fit(rows, validation=rows[:30]).histories[0]
    assert len({tuple(record) for record in history}) == 1
    assert json.loads(json.dumps(history.records, allow_nan=False)) == history.records


ODD_ROWS = {
    "one row": np.random.default_rng(1).random((1, 12)),
    "zeros": np.zeros((5, 12)),
    "ones": np.ones((5, 12)),
    "all alike": np.full((5, 12), 0.1),
}


@pytest.mark.parametrize("kind", ODD_ROWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_odd_rows_one_at_a_time_give_finite_figures_and_codes(settings, kind, dtype, tmp_path):
    x = ODD_ROWS[kind]
    config = TrainingConfig(epochs=3, batch_size=1, optimizer=SGD(0.05))
    stack = StackedAutoencoder([settings], config, dtype=dtype).fit(x, validation=x)
    json.dumps(stack.histories[0].records, allow_nan=False)
    assert np.isfinite(stack.reconstruct(x)).all()
    assert np.array_equal(load_stack(save(stack, tmp_path)).encode(x), stack.encode(x))


@pytest.mark.parametrize(
    "settings",
    [
        Contractive(1),
        Variational(1, hidden=1),
        Variational(1, hidden=1, output="linear"),
        Sparse(1, penalty=TopK(1), activation="relu", unit_norm=True, revive=True),
        Sparse(1, penalty=L1Sparsity(0.1), activation="relu", unit_norm=True, revive=True, tied=True),
    ],
)
def test_a_single_unit_is_enough(settings, rows):
    stack = StackedAutoencoder([settings], TrainingConfig(epochs=2, batch_size=20)).fit(rows)
    json.dumps(stack.histories[0].records, allow_nan=False)
    assert stack.encode(rows).shape == (130, 1)


NUMBERS = {
    "contractive": (Contractive(np.int64(7), weight=np.float32(0.25)), Contractive(7, weight=0.25)),
    "variational": (
        Variational(np.int32(3), hidden=np.int64(5), kl_weight=np.float32(0.5), warm_up=np.float16(1.5)),
        Variational(3, hidden=5, kl_weight=0.5, warm_up=1.5),
    ),
    "top-k": (
        Sparse(np.uint8(7), penalty=TopK(np.uint8(2), np.uint8(5), np.float32(1.5)), revive=True),
        Sparse(7, penalty=TopK(2, 5, 1.5), revive=True),
    ),
    "l1": (Sparse(7, penalty=L1Sparsity(np.float32(0.25))), Sparse(7, penalty=L1Sparsity(0.25))),
    "kl": (
        Sparse(7, penalty=KLSparsity(np.float32(0.5), np.float32(0.25), np.float16(0.5), np.float64(0.5))),
        Sparse(7, penalty=KLSparsity(0.5, 0.25, 0.5, 0.5)),
    ),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_numpy_do_what_plain_ones_do(kind, rows, tmp_path):
    config = TrainingConfig(epochs=3, batch_size=20)
    numpys, plain = (StackedAutoencoder([settings], config).fit(rows) for settings in NUMBERS[kind])
    assert np.array_equal(numpys.encode(rows), plain.encode(rows))
    assert numpys.histories[0]["loss"] == plain.histories[0]["loss"]
    assert load_stack(save(numpys, tmp_path)).settings == (NUMBERS[kind][1],)


@pytest.mark.parametrize("kind", [name for name in KINDS if name.startswith(("contractive", "variational"))])
def test_a_line_search_may_evaluate_a_batch_again(kind, rows):
    config = TrainingConfig(epochs=4, batch_size=None, optimizer=LBFGS(iterations=5))
    history = StackedAutoencoder([KINDS[kind]], config, dtype="float64").fit(rows).histories[0]
    assert history["loss"][-1] < history["loss"][0]
