"""Trainings in lock-step against the same trainings alone: the same bits on a CPU; to rounding where batched."""

import numpy as np
import pytest
import torch
from conftest import KINDS

from stacked import (
    LBFGS,
    SGD,
    Adam,
    Callback,
    ClassifierSettings,
    CosineDecay,
    Denoising,
    FeedforwardClassifier,
    FeedforwardRegressor,
    Plain,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
)
from stacked.examples import Examples
from stacked.randomness import Seeded
from stacked.seeds import fit_classifiers, fit_stacks
from stacked.streams import Streams
from stacked.together import train_together
from stacked.training import Training

SEEDS = (3, 4, 9)
OPTIMIZERS = {"sgd": SGD(0.1, momentum=0.5), "adam": Adam(0.01)}


def training(optimizer="sgd", **more):
    chosen = {"optimizer": OPTIMIZERS[optimizer], "schedule": CosineDecay()}
    return TrainingConfig(**({"epochs": 4, "batch_size": 20} | chosen | more))


def stacks(layers, config, seeds=SEEDS, **more):
    return [StackedAutoencoder(layers, config, seed=seed, **more) for seed in seeds]


def check_same(one, other):
    """Equal weights bit for bit, and equal records but for the time that was taken."""
    a, b = (torch.nn.ModuleList(model.layers).state_dict() for model in (one, other))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    check_same_records(one, other)


def check_same_records(one, other):
    for own, theirs in zip(histories(one), histories(other), strict=True):
        timeless = [
            [{name: value for name, value in record.items() if "second" not in name} for record in history]
            for history in (own, theirs)
        ]
        assert timeless[0] == timeless[1]
        assert len(own) > 0


def histories(model):
    return model.histories if isinstance(model, StackedAutoencoder) else [model.history]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_kind_has_the_bits_it_has_alone(settings, rows, optimizer):
    config = training(optimizer, validation_fraction=0.2)
    together, alone = stacks([Plain(9), settings], config), stacks([Plain(9), settings], config)
    assert fit_stacks(together, rows) == [None] * 3
    for one, other in zip(together, alone, strict=True):
        check_same(one, other.fit(rows))


def test_validation_rows_and_a_line_search(rows):
    config = TrainingConfig(epochs=2, batch_size=None, optimizer=LBFGS(iterations=3))
    together, alone = (stacks([Plain(7)], config, dtype="float64") for _ in range(2))
    fit_stacks(together, rows, validation=rows[:30])
    for one, other in zip(together, alone, strict=True):
        check_same(one, other.fit(rows, validation=rows[:30]))


def classifiers(rows, **more):
    pretrained = stacks([Denoising(7)], training(epochs=1))
    fit_stacks(pretrained, rows)
    settings = ClassifierSettings((12, 7, 3), **more)
    made = [FeedforwardClassifier(settings, seed=seed) for seed in SEEDS]
    return [classifier.transfer(stack) for classifier, stack in zip(made, pretrained, strict=True)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_classifiers_with_dropout_that_stop_early_at_different_epochs(rows, optimizer):
    labels = (4 * rows[:, 0] * rows[:, 1] + rows[:, 2]).astype(int).clip(0, 2)
    config = training(optimizer, epochs=30, patience=2, validation_fraction=0.3, schedule=None)
    together, alone = (classifiers(rows, dropout=0.3, weight_decay=0.001) for _ in range(2))
    assert fit_classifiers(together, rows, labels, config) == [None] * 3
    for one, other in zip(together, alone, strict=True):
        check_same(one, other.fit(rows, labels, config))
    assert len({len(classifier.history) for classifier in together}) > 1


def test_frozen_layers_differ_from_seed_to_seed(rows):
    labels = (rows[:, 0] > 0.5).astype(int)
    pretrained = stacks([Plain(7)], training(epochs=1))
    fit_stacks(pretrained, rows)
    together, alone = (
        [FeedforwardClassifier.from_stack(stack, 2, freeze=True, seed=3) for stack in pretrained] for _ in range(2)
    )
    fit_classifiers(together, rows, labels, training())
    for one, other in zip(together, alone, strict=True):
        check_same(one, other.fit(rows, labels, training()))


# One of them fails


class Spoils(Callback):
    """Makes the weights of one training infinite in the middle of an epoch."""

    def __init__(self, name, steps):
        self.name, self.left = name, steps

    def on_step(self, training, n_rows):
        self.left -= 1
        if self.left == 0 and training.name == self.name:
            next(training.model.parameters()).data.fill_(float("inf"))


def alone(seed, config, settings, callbacks=()):
    layer = settings.build(12, torch.float32)
    layer.draw(Seeded(seed).stream("weights"))
    return Training(layer, config, Streams.of(Seeded(seed), "test", device=torch.device("cpu")), callbacks, str(seed))


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_that_diverges_leaves_the_others_as_they_are(rows, optimizer, batched):
    settings, config, examples = KINDS["denoising-gaussian"], training(optimizer), Examples.all_of(rows)
    trainings = [alone(seed, config, settings, [Spoils("4", 9)]) for seed in SEEDS]
    initial = {name: value.clone() for name, value in trainings[1].model.state_dict().items()}
    failures = train_together(trainings, [[examples]] * 3, batched=batched)
    assert [failure is None for failure in failures] == [True, False, True]
    assert str(failures[1]).startswith("4: the loss became nan in epoch 2, step ")
    assert all(torch.equal(value, initial[name]) for name, value in trainings[1].model.state_dict().items())
    reference = [alone(seed, config, settings) for seed in SEEDS]
    for number in (0, 2):
        reference[number].fit(examples)
        for name, value in reference[number].model.state_dict().items():
            found = trainings[number].model.state_dict()[name]
            assert torch.equal(found, value) or (batched and torch.allclose(found, value, rtol=1e-4, atol=1e-6))


def test_a_network_that_diverges_has_learnt_no_scaling(rows):
    steep = TrainingConfig(epochs=3, batch_size=20, optimizer=SGD(1e30))
    networks = [FeedforwardRegressor((12, 4, 1), seed=seed, scaling="min_max") for seed in (0, 1)]
    failures = fit_classifiers(networks, rows, rows[:, 0], steep)
    assert all(failures)
    assert [(one.scaling, one.target_scaling) for one in networks] == [(None, None)] * 2


def test_each_has_memory_of_its_own_at_the_end(rows):
    trainings = [alone(seed, training(), Plain(7)) for seed in SEEDS]
    train_together(trainings, [[Examples.all_of(rows)]] * 3)
    parameters = [parameter for one in trainings for parameter in one.model.parameters()]
    assert len({parameter.untyped_storage().data_ptr() for parameter in parameters}) == len(parameters)
    assert all(parameter.untyped_storage().nbytes() == 4 * parameter.numel() for parameter in parameters)
    assert all(parameter.grad is None for parameter in parameters)


# Batched, as on an accelerator


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_batched_gradients_agree_to_rounding(settings, rows, optimizer):
    check_batched(rows, [alone_of_kind(settings, seed, training(optimizer)) for seed in (*SEEDS, *SEEDS)])


def alone_of_kind(settings, seed, config):
    layer = settings.build(12, torch.float64)
    layer.draw(Seeded(seed).stream("weights"))
    return Training(layer, config, Streams.of(Seeded(seed), "test", device=torch.device("cpu")))


def check_batched(rows, trainings, labels=None):
    """The first half in lock-step, batched, against the second alone."""
    half = len(trainings) // 2
    examples = Examples.all_of(rows, labels)
    assert train_together(trainings[:half], [[examples]] * half, batched=True) == [None] * half
    for one, other in zip(trainings[:half], trainings[half:], strict=True):
        other.fit(examples)
        np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-9)
        for name, value in other.model.state_dict().items():
            torch.testing.assert_close(one.model.state_dict()[name], value, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_batched_classifiers_agree_to_rounding(rows, optimizer, output):
    labels = (3 * rows[:, 0]).astype(np.int64)
    settings = ClassifierSettings((12, 8, 7, 3), output=output, dropout=0.3, weight_decay=0.01)
    made = [FeedforwardClassifier(settings, seed=seed, dtype="float64") for seed in (*SEEDS, *SEEDS)]
    check_batched(rows, [classifier.fine_tuning(training(optimizer)) for classifier in made], labels)


def test_batched_products_may_be_rounded(rows):
    config = training(precision="bf16")
    trainings = [alone(seed, config, Denoising(7)) for seed in (*SEEDS, *SEEDS)]
    examples = Examples.all_of(rows)
    train_together(trainings[:3], [[examples]] * 3, batched=True)
    for one, other in zip(trainings[:3], trainings[3:], strict=True):
        other.fit(examples)
        np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=2.0**-9)


# What does not go together


def test_trainings_on_other_numbers_of_rows_are_refused(rows):
    with pytest.raises(StackedError, match="trainings: expected trainings like 3, on 130 rows, received 4, on 100"):
        train_together(
            [alone(3, training(), Plain(7)), alone(4, training(), Plain(7))],
            [[Examples.all_of(rows)], [Examples.all_of(rows[:100])]],
        )


def test_models_of_two_kinds_are_refused(rows):
    """Though their weights have the same shapes."""
    pair = [alone(3, training(), Plain(7)), alone(4, training(), Denoising(7))]
    with pytest.raises(StackedError, match="let them differ in seeds only"):
        train_together(pair, [[Examples.all_of(rows)]] * 2)


def test_models_in_different_precisions_do_not_go_together(rows):
    def made(dtype):
        streams = Streams.of(Seeded(0), "layer", device=torch.device("cpu"))
        return Training(Plain(7).build(rows.shape[1], dtype), training(), streams)

    trainings = [made(dtype) for dtype in (torch.float32, torch.float64)]
    with pytest.raises(StackedError, match="expected trainings like"):
        train_together(trainings, [[Examples.all_of(rows)]] * 2)


def test_a_model_is_trained_once(rows):
    stack = stacks([Plain(7)], training())[0]
    with pytest.raises(StackedError, match="stacks: expected every model once, received one of them twice"):
        fit_stacks([stack, stack], rows)
