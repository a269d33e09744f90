"""The networks that pretraining is compared with, against torch's own modules."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stacked import SGD, TrainingConfig
from stacked.examples import Examples
from stacked.randomness import Seeded
from stacked.streams import Streams
from stacked.training import Training

sys.path.append(str(Path(__file__).parents[1] / "experiments"))
from deep_networks import DeepNetwork

SIZES = (12, 7, 3)
ACTIVATIONS = {"sigmoid": torch.sigmoid, "relu": torch.relu}


def drawn(kind, activation="relu", depth=3):
    model = DeepNetwork(SIZES, depth, activation, batch_norm="batch norm" in kind, residual="residual" in kind)
    model.draw(Seeded(0).stream("weights"))
    return model


def linear(layer):
    return lambda x: F.linear(x, layer.weight, layer.bias)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_residual_networks_add_each_layer_to_what_it_is_given(activation, rows):
    model, function, x = drawn("residual", activation), ACTIVATIONS[activation], torch.from_numpy(rows)
    first, second, third = map(linear, model.hidden)
    a = function(first(x))
    a = a + function(second(a))
    a = a + function(third(a))
    torch.testing.assert_close(model(x), linear(model.last)(a))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_stands_between_the_sums_and_the_activation(activation, training, rows):
    model, function, x = drawn("batch norm", activation), ACTIVATIONS[activation], torch.from_numpy(rows)
    a = x
    for layer in model.hidden:
        a = function(nn.BatchNorm1d(7).train(training)(linear(layer)(a)))
    torch.testing.assert_close(model.train(training)(x), linear(model.last)(a))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_both_together_add_the_normed_layer(activation, rows):
    model, function, x = drawn("batch norm, residual", activation), ACTIVATIONS[activation], torch.from_numpy(rows)
    a = function(nn.BatchNorm1d(7)(linear(model.hidden[0])(x)))
    for layer in model.hidden[1:]:
        a = a + function(nn.BatchNorm1d(7)(linear(layer)(a)))
    torch.testing.assert_close(model(x), linear(model.last)(a))


@pytest.mark.parametrize("kind", ["batch norm", "residual", "batch norm, residual"])
def test_training_lowers_the_loss_and_ends_ready_for_use(kind, rows):
    model, labels = drawn(kind), rows[:, 0].argsort().argsort() % 3
    streams = Streams.of(Seeded(0), "test", device=torch.device("cpu"))
    config = TrainingConfig(epochs=8, batch_size=20, optimizer=SGD(0.2, momentum=0.5))
    history = Training(model, config, streams).fit(Examples.all_of(rows, labels), Examples.all_of(rows, labels))
    assert history["loss"][-1] < history["loss"][0]
    assert not model.training


def test_measuring_leaves_the_running_statistics_as_they_are(rows):
    model, labels = drawn("batch norm"), rows[:, 0].argsort().argsort() % 3
    streams = Streams.of(Seeded(0), "test", device=torch.device("cpu"))
    config, examples = TrainingConfig(epochs=1, batch_size=13), Examples.all_of(rows, labels)
    twin = drawn("batch norm")
    Training(model, config, streams).fit(examples, examples)
    Training(twin, config, Streams.of(Seeded(0), "test", device=torch.device("cpu"))).fit(examples)
    assert model.norms[0].num_batches_tracked == 10
    for mine, theirs in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(mine, theirs)
