"""The loop: optimisers against torch's, schedules, validation, early stopping, history, numeric trouble."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import optimize

from stacked import (
    LBFGS,
    SGD,
    Adam,
    Autoencoder,
    Callback,
    CosineDecay,
    Denoising,
    DivergedError,
    EarlyStopping,
    ExponentialDecay,
    FeedforwardClassifier,
    KLSparsity,
    Masking,
    Plain,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
)
from stacked.books import Books
from stacked.dense import Dense
from stacked.examples import Examples
from stacked.randomness import Seeded
from stacked.streams import Streams
from stacked.training import Training


def trained(rows, config, settings=None, callbacks=(), validation=None):
    model = (settings or Plain(7)).build(rows.shape[1], torch.float64)
    model.draw(Seeded(0).stream("weights"))
    streams = Streams.of(Seeded(0), "test", device=torch.device("cpu"))
    training = Training(model, config, streams, callbacks)
    held_out = None if validation is None else Examples.all_of(validation)
    return model, training.fit(Examples.all_of(rows), held_out)


def by_torch(rows, optimizer, epochs, batch_size, factor=lambda epoch: 1.0):
    """The same training by autograd and an optimiser of torch, in the library's order of rows."""
    model = Plain(7).build(rows.shape[1], torch.float64)
    model.draw(Seeded(0).stream("weights"))
    descent = optimizer(model.parameters())
    rate = descent.param_groups[0]["lr"]
    shuffle = Seeded(0).stream("test", "shuffle")
    for epoch in range(epochs):
        descent.param_groups[0]["lr"] = rate * factor(epoch)
        for chosen in shuffle.permutation(len(rows)).split(batch_size):
            x = torch.from_numpy(rows[chosen.numpy()]).double()
            descent.zero_grad()
            output = torch.sigmoid(model.decoder.logits(model.encode(x)))
            ((output - x).square().sum() / (2 * len(x))).backward()
            descent.step()
    return model


def assert_same_weights(a, b, tolerance):
    for mine, theirs in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_that_of_torch(rows, momentum):
    config = TrainingConfig(epochs=3, batch_size=20, optimizer=SGD(0.05, momentum=momentum))
    model, _ = trained(rows, config)
    reference = by_torch(rows, lambda p: torch.optim.SGD(p, lr=0.05, momentum=momentum), 3, 20)
    assert_same_weights(model, reference, 1e-10)


def test_adam_is_that_of_torch(rows):
    model, _ = trained(rows, TrainingConfig(epochs=3, batch_size=20, optimizer=Adam(0.01)))
    assert_same_weights(model, by_torch(rows, lambda p: torch.optim.Adam(p, lr=0.01, fused=False), 3, 20), 1e-7)


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        (ExponentialDecay(0.5), lambda epoch: 0.5**epoch),
        (CosineDecay(0.1), lambda epoch: 0.1 + 0.9 * (1 + np.cos(np.pi * epoch / 4)) / 2),
    ],
)
def test_schedules_scale_the_learning_rate_by_epoch(rows, schedule, factor):
    config = TrainingConfig(epochs=4, batch_size=20, optimizer=SGD(0.05), schedule=schedule)
    model, history = trained(rows, config)
    assert history["learning_rate"] == pytest.approx([0.05 * factor(epoch) for epoch in range(4)])
    assert_same_weights(model, by_torch(rows, lambda p: torch.optim.SGD(p, lr=0.05), 4, 20, factor), 1e-10)


def test_lbfgs_on_all_rows_reaches_what_scipy_reaches(rows):
    settings = Plain(3, output="linear", weight_decay=0.1)
    config = TrainingConfig(epochs=20, batch_size=None, optimizer=LBFGS(iterations=20))
    _, history = trained(rows, config, settings)
    start = settings.build(12, torch.float64)
    start.draw(Seeded(0).stream("weights"))
    x = torch.from_numpy(rows).double()

    def value_and_slope(flat):
        torch.nn.utils.vector_to_parameters(torch.from_numpy(flat.copy()), start.parameters())
        value = start.objective(start.prepare(x, None, None))
        slopes = torch.autograd.grad(value, list(start.parameters()))
        return value.item(), torch.nn.utils.parameters_to_vector(slopes).numpy()

    first = torch.nn.utils.parameters_to_vector(start.parameters()).detach().numpy()
    best = optimize.minimize(value_and_slope, first, jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    assert history["loss"][-1] == pytest.approx(best.fun, rel=1e-3)
    assert history["loss"][-1] < history["loss"][0]


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows(rows):
    """With a learning rate of 0 it is the objective of all rows, whatever the last, smaller batch."""
    model, history = trained(rows, TrainingConfig(epochs=1, batch_size=40, optimizer=SGD(0.0)))
    x = torch.from_numpy(rows).double()
    assert history["loss"][0] == pytest.approx(model.objective(model.prepare(x, None, None)).item(), rel=1e-12)


def test_validation_loss_is_that_of_clean_rows_without_penalties(rows):
    settings = Denoising(7, corruption=Masking(0.9), weight_decay=1.0)
    model, history = trained(rows, TrainingConfig(epochs=2, batch_size=20), settings, validation=rows[:33])
    x = torch.from_numpy(rows[:33]).double()
    with torch.no_grad():
        expected = (model.decode(model.encode(x)) - x).square().sum() / (2 * 33)
    assert history["validation_loss"][-1] == pytest.approx(expected.item(), rel=1e-12)


def test_validation_rows_are_kept_from_training(rows):
    seen = []

    class Watch(Callback):
        def on_step(self, training, n_rows):
            seen.append(n_rows)

    config = TrainingConfig(epochs=1, batch_size=20, validation_fraction=0.2)
    _, history = trained(rows, config, callbacks=[Watch()])
    assert sum(seen) == 104
    assert "validation_loss" in history.records[0]


def test_the_validation_split_has_every_row_once():
    examples = Examples.all_of(np.zeros((50, 2)))
    rest, aside = examples.split(0.3, Seeded(0).stream("split"))
    assert (len(rest.numbers), len(aside.numbers)) == (35, 15)
    assert sorted(torch.cat([rest.numbers, aside.numbers]).tolist()) == list(range(50))


def test_early_stopping_ends_and_restores_the_best_weights(rows):
    config = TrainingConfig(epochs=50, batch_size=20, optimizer=SGD(5.0, momentum=0.9), patience=2)
    losses = []

    class Keep(Callback):
        def on_epoch(self, training, record):
            losses.append({name: value.clone() for name, value in training.model.state_dict().items()})

    model, history = trained(rows, config, callbacks=[Keep()], validation=rows[:30])
    best = int(np.argmin(history["validation_loss"]))
    assert len(history) == min(50, best + 3)
    assert len(history) < 50
    assert all(torch.equal(value, losses[best][name]) for name, value in model.state_dict().items())


def test_a_classifier_stops_by_its_error_rate(rows):
    labels = (rows[:, 0] > 0.5).astype(int)
    config = TrainingConfig(epochs=30, batch_size=20, optimizer=Adam(0.05), patience=3, validation_fraction=0.3)
    classifier = FeedforwardClassifier((12, 8, 2)).fit(rows, labels, config)
    errors = classifier.history["validation_error_rate"]
    assert len(errors) == min(30, int(np.argmin(errors)) + 4)


def test_a_diverging_loss_ends_with_layer_epoch_rate_and_remedy(rows):
    config = TrainingConfig(epochs=5, batch_size=20, optimizer=SGD(1e6))
    stack = StackedAutoencoder([Plain(7, output="linear")], config)
    with pytest.raises(DivergedError, match=r"layer 1.* in epoch 1, step \d, at learning rate 1e\+06, likely"):
        stack.fit(rows)
    assert stack.layers == []


def test_batch_size_none_takes_all_rows_in_one_step(rows):
    steps = []

    class Count(Callback):
        def on_step(self, training, n_rows):
            steps.append(n_rows)

    trained(rows, TrainingConfig(epochs=3, batch_size=None, optimizer=SGD(0.1)), callbacks=[Count()])
    assert steps == [130] * 3


def test_nothing_of_training_stays_in_the_model(rows):
    model, _ = trained(rows, TrainingConfig(epochs=1, batch_size=20))
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("settings", "config", "message"),
    [
        (Plain(7), TrainingConfig(batch_size=131), "batch_size: expected at most the 130 rows"),
        (Plain(7), TrainingConfig(batch_size=130, validation_fraction=0.1), "at most the 117 rows"),
        (Plain(7), TrainingConfig(patience=3), "patience: expected validation rows, received none; set"),
        (Plain(7), TrainingConfig(validation_fraction=0.001), "validation_fraction: expected a share"),
        (
            Sparse(7, penalty=KLSparsity(0.1, memory=0.9)),
            TrainingConfig(batch_size=None, optimizer=LBFGS()),
            "optimizer: expected one that evaluates each batch",
        ),
    ],
)
def test_plans_that_cannot_work_are_refused_before_any_work(rows, settings, config, message):
    with pytest.raises(StackedError, match=message):
        trained(rows, config, settings)


def test_one_early_stopping_serves_one_layer_after_the_other(rows):
    """It starts anew with every training, so that no layer gets another's weights."""
    config = TrainingConfig(epochs=4, batch_size=20, optimizer=Adam(0.01))
    shared = StackedAutoencoder([Plain(7), Plain(7)], config)
    shared.fit(rows, validation=rows[:30], callbacks=[EarlyStopping(1)])
    own = StackedAutoencoder([Plain(7), Plain(7)], replace(config, patience=1)).fit(rows, validation=rows[:30])
    for mine, theirs in zip(shared.layers, own.layers, strict=True):
        assert_same_weights(mine, theirs, 0)


def test_early_stopping_does_not_withdraw_another_s_wish_to_stop(rows):
    class Stop(Callback):
        def on_epoch(self, training, record):
            training.stopping = True

    config = TrainingConfig(epochs=5, batch_size=20, patience=4)
    assert len(trained(rows, config, callbacks=[Stop()], validation=rows)[1]) == 1


def test_a_figure_that_nobody_measures_is_refused(rows):
    with pytest.raises(StackedError, match=r"figure: expected one of .*received 'validation_loss'; pass"):
        trained(rows, TrainingConfig(epochs=1, batch_size=20), callbacks=[EarlyStopping(2)])


def test_a_last_step_that_diverges_is_noticed(rows):
    config = TrainingConfig(epochs=1, batch_size=None, optimizer=SGD(1e300))
    with pytest.raises(DivergedError, match="the weights became infinite in epoch 1"):
        trained(rows, config, Plain(7, activation="relu", output="linear", weight_decay=1e300))


def test_a_diverged_classifier_keeps_its_earlier_weights(rows):
    labels = (rows[:, 0] > 0.5).astype(int)
    classifier = FeedforwardClassifier((12, 8, 2)).fit(rows, labels, TrainingConfig(epochs=2))
    before, history = classifier.outputs(rows), classifier.history
    with pytest.raises(DivergedError):
        classifier.fit(rows, labels, TrainingConfig(epochs=3, optimizer=SGD(1e38)))
    assert np.array_equal(classifier.outputs(rows), before)
    assert classifier.history is history


def test_an_objective_of_a_new_kind_is_what_is_optimised(rows):
    """A kind that derives from `Autoencoder` says what its objective is, and autograd does the rest."""

    class Shrinking(Autoencoder):
        def __init__(self, settings, n_inputs, dtype):
            super().__init__(settings, n_inputs)
            self.encoder, self.decoder = (Dense(*shape, "sigmoid", dtype) for shape in ((n_inputs, 7), (7, n_inputs)))
            self.encoder_layers, self.decoder_layers = (self.encoder,), (self.decoder,)

        def objective(self, batch):
            return self.encoder.weight.square().sum()

    model = Shrinking(Plain(7), 12, torch.float64)
    model.draw(Seeded(0).stream("weights"))
    before, decoder = model.encoder.weight.detach().clone(), model.decoder.weight.detach().clone()
    streams = Streams.of(Seeded(0), "test", device=torch.device("cpu"))
    Training(model, TrainingConfig(epochs=1, batch_size=None, optimizer=SGD(0.25)), streams).fit(
        Examples.all_of(rows)
    )
    torch.testing.assert_close(model.encoder.weight, 0.5 * before)
    assert torch.equal(model.decoder.weight, decoder)


def test_the_time_of_an_epoch_includes_the_wait_for_its_loss(rows, monkeypatch):
    """A device runs behind: the loss is there when it has done all steps."""

    def slow(books):
        time.sleep(0.2)
        return 1.0

    monkeypatch.setattr(Books, "mean_loss", property(slow))
    _, history = trained(rows, TrainingConfig(epochs=1, batch_size=20))
    assert history["seconds"][0] >= 0.2
    assert history["rows_per_second"][0] <= 130 / 0.2
