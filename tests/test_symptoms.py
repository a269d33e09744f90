"""Trainings that go wrong say so: where a loss left the numbers and why, and what has learnt nothing."""

import re
import warnings

import numpy as np
import pytest
import torch

from stacked import (
    SGD,
    Adam,
    Callback,
    Denoising,
    DivergedError,
    FeedforwardClassifier,
    Plain,
    StackedAutoencoder,
    StackedWarning,
    TrainingConfig,
    Variational,
)
from stacked.dense import Dense
from stacked.estimators import PretrainedClassifier
from stacked.provenance import Provenance
from stacked.symptoms import FEWEST, signs_in_layers, signs_of_chance
from stacked.training import STEPS_BETWEEN_CHECKS

CONFIG = TrainingConfig(epochs=3, batch_size=20, optimizer=SGD(0.25))


class At(Callback):
    """Does something to the model after one step of the training, and counts the steps."""

    def __init__(self, step, change):
        self.step, self.change, self.steps = step, change, 0

    def on_step(self, training, n_rows):
        self.steps += 1
        if self.steps == self.step:
            with torch.no_grad():
                self.change(training.model)


def poison(model):
    model.encoder.bias[0] = float("nan")


@pytest.mark.parametrize(("after", "place"), [(1, "epoch 1, step 2"), (6, "epoch 1, step 7"), (9, "epoch 2, step 3")])
def test_a_broken_loss_names_layer_epoch_step_and_rate(rows, after, place):
    message = f"layer 2: plain 7-5: the loss became nan in {place}, at learning rate 0.25, likely because the steps"
    stack = StackedAutoencoder([Plain(7), Plain(5)], CONFIG)
    with pytest.raises(DivergedError, match=re.escape(message)):
        stack.fit(rows, callbacks=[At(21 + after, poison)])
    assert stack.layers == []


def test_a_long_epoch_ends_soon_after_its_loss_broke(rows):
    watch = At(3, poison)
    with pytest.raises(DivergedError, match="epoch 1, step 4"):
        StackedAutoencoder([Plain(7)], TrainingConfig(epochs=1, batch_size=1)).fit(rows, callbacks=[watch])
    assert watch.steps == STEPS_BETWEEN_CHECKS


def test_weights_that_break_in_the_last_step_are_noticed(rows):
    def overflow(model):
        model.encoder.weight[0, 0] = float("inf")

    with pytest.raises(DivergedError, match="the weights became infinite in epoch 3, step 7, at learning"):
        StackedAutoencoder([Plain(7)], CONFIG).fit(rows, callbacks=[At(21, overflow)])


def test_large_rows_are_named_as_the_likely_cause(rows):
    stack = StackedAutoencoder([Plain(7, activation="linear", output="linear")], CONFIG)
    with pytest.raises(DivergedError, match=r"likely because the rows reach 9\d{3}\.?\d*; scale"):
        stack.fit(rows * 1e4)


def saturate(model):
    model.encoder.weight.mul_(1e4)
    model.encoder.bias.fill_(1e6)


def kill(model):
    model.encoder.bias.fill_(-1e6)


@pytest.mark.parametrize(
    ("activation", "change", "said"),
    [
        ("sigmoid", saturate, "8 of the 8 units of hidden layer 1 are saturated on all of 130 training"),
        ("tanh", kill, "8 of the 8 units of hidden layer 1 are saturated on all of 130 training rows"),
        ("relu", kill, "8 of the 8 units of hidden layer 1 are dead on all of 130 training rows"),
    ],
)
def test_a_layer_of_which_nothing_is_left_is_told(rows, activation, change, said):
    stack = StackedAutoencoder([Plain(8, activation=activation, output="linear")], CONFIG)
    with pytest.warns(StackedWarning, match=re.escape(f"layer 1: plain 12-8: after training, {said}")) as told:
        stack.fit(rows, callbacks=[At(21, change)])
    assert len(told) == 1


def test_a_deep_autoencoder_is_told_too(rows):
    def change(model):
        model.chain[1].bias.fill_(-1e6)

    stack = StackedAutoencoder([Plain(6), Plain(4)], CONFIG).draw(12)
    with pytest.warns(StackedWarning, match="deep autoencoder: after training, 4 of the 4 units of hidden layer 2"):
        stack.fine_tune(rows, CONFIG, callbacks=[At(21, change)])


def test_a_hidden_layer_of_a_classifier_is_told_too(rows):
    def change(model):
        model.layers[1].bias.fill_(-1e6)

    classifier = FeedforwardClassifier((12, 6, 4, 2))
    with pytest.warns(StackedWarning, match="4 of the 4 units of hidden layer 2 are satur"):
        classifier.fit(rows, (rows[:, 0] > 0.5).astype(int), CONFIG, callbacks=[At(21, change)])


@pytest.mark.parametrize("layer", [Plain(8), Denoising(8, activation="relu"), Variational(3, hidden=8)], ids=repr)
def test_a_sound_layer_is_not_told(rows, layer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        StackedAutoencoder([layer], TrainingConfig(epochs=3, batch_size=20)).fit(rows)


def test_codes_that_are_bits_are_no_sign_of_failure():
    """Every unit is at a bound on every row, and yet tells rows apart."""
    layer = Dense(3, 4, "sigmoid", torch.float64)
    torch.nn.init.constant_(layer.weight, 100.0)
    x = torch.from_numpy(np.random.default_rng(0).choice([-1.0, 1.0], (50, 3)))
    assert signs_in_layers([layer], x) == []
    assert signs_in_layers([layer], x.abs()) != []
    assert signs_in_layers([layer], x.abs()[: FEWEST - 1]) == [], "too few rows to say"


def test_nine_units_in_ten_are_the_limit():
    layer = Dense(1, 10, "relu", torch.float64)
    layer.weight.data = torch.tensor([[1.0]] * 2 + [[-1.0]] * 8, dtype=torch.float64)
    x = torch.linspace(1, 2, 20, dtype=torch.float64)[:, None]
    assert signs_in_layers([layer], x) == []
    layer.weight.data[0] = -1
    assert signs_in_layers([layer], x) == ["9 of the 10 units of hidden layer 1 are dead on all of 20 training rows"]


def test_a_classifier_at_chance_is_told(rows):
    labels = np.repeat([0, 1], [50, 80])

    def always_first(model):
        model.layers[-1].weight.zero_()
        model.layers[-1].bias[:] = torch.tensor([1.0, 0.0])

    said = "after training, it recognises 50 of 130 training rows, and always saying class 1 is right for 80"
    with pytest.warns(StackedWarning, match=f"classifier 12-4-2: {said}"):
        FeedforwardClassifier((12, 4, 2)).fit(rows, labels, CONFIG, callbacks=[At(21, always_first)])


def test_a_class_is_named_where_its_name_is_known(rows):
    def always_first(model):
        model.layers[-1].weight.zero_()
        model.layers[-1].bias[:] = torch.tensor([1.0, 0.0])

    classifier = FeedforwardClassifier((12, 4, 2))
    classifier.provenance = Provenance(classes=("benign", "malignant"))
    with pytest.warns(StackedWarning, match="and always saying class 'malignant' is right for 80"):
        classifier.fit(rows, np.repeat([0, 1], [50, 80]), CONFIG, callbacks=[At(21, always_first)])
    assert classifier.provenance.classes == ("benign", "malignant")


def test_an_estimator_speaks_of_its_own_classes(rows):
    labels = np.repeat(["benign", "malignant"], [50, 80])
    with pytest.warns(StackedWarning, match="and always saying class 'malignant' is right for 80"):
        PretrainedClassifier("plain:4", epochs=1, finetune_epochs=1, learning_rate=1e-9).fit(rows, labels)


def test_a_classifier_above_chance_is_not_told(rows):
    labels = (rows[:, 0] > 0.5).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = FeedforwardClassifier((12, 8, 2))
        classifier.fit(rows, labels, TrainingConfig(epochs=40, batch_size=20, optimizer=Adam(0.01)))
    assert classifier.error_rate(rows, labels) < 0.2


@pytest.mark.parametrize(
    ("predicted", "classes", "told"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 1], True),
        ([1, 1, 1, 1], [0, 0, 0, 1], True),
        ([0, 0, 0, 1], [0, 0, 0, 1], False),
        ([0, 0, 0], [0, 0, 0], False),
        ([0, 1, 2, 0], [0, 1, 2, 1], False),
    ],
)
def test_chance_is_what_the_most_frequent_class_gives(predicted, classes, told):
    assert bool(signs_of_chance(torch.tensor(predicted), torch.tensor(classes))) == told
