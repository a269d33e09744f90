"""Contractive layers: the penalty, its Jacobian and its figures against torch's Jacobians."""

import numpy as np
import pytest
import torch

from stacked import LBFGS, Contractive, Plain, StackedAutoencoder, StackedError, TrainingConfig
from stacked.gradients import Accumulation
from stacked.randomness import Seeded

CONFIG = TrainingConfig(epochs=3, batch_size=20)
LIMITS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "scaled_tanh": (-1.7159, 1.7159)}

each_activation = pytest.mark.parametrize("activation", LIMITS)
tied_or_not = pytest.mark.parametrize("tied", [False, True])


def drawn(settings, seed=3):
    layer = settings.build(12, torch.float64)
    layer.draw(Seeded(seed).stream("weights"))
    return layer


def table(rows):
    return torch.from_numpy(rows).double()


def jacobians(layer, x):
    """By torch, row by row, shape `(n, n_units, n_inputs)`."""
    return torch.stack([torch.autograd.functional.jacobian(layer.encode, row[None])[0, :, 0] for row in x])


def trained(settings, rows, config=CONFIG):
    return StackedAutoencoder([settings], config, dtype="float64").fit(rows)


@each_activation
@tied_or_not
def test_the_jacobian_is_torchs(rows, activation, tied):
    layer, x = drawn(Contractive(7, activation=activation, tied=tied, random_bias=True)), table(rows)
    torch.testing.assert_close(layer.jacobian(x), jacobians(layer, x))


@each_activation
@tied_or_not
def test_the_penalty_is_the_mean_squared_norm_of_torchs_jacobians(rows, activation, tied):
    x = table(rows)
    charged, free = (drawn(Contractive(7, weight=w, activation=activation, tied=tied)) for w in (0.3, 0.0))
    batch = charged.prepare(x, None, None)
    expected = 0.3 * jacobians(charged, x).square().sum(dim=(1, 2)).mean()
    torch.testing.assert_close(charged.objective(batch) - free.objective(batch), expected)


@each_activation
@tied_or_not
def test_its_gradient_is_that_of_torchs_jacobian_of_all_rows_at_once(rows, activation, tied):
    """Second derivatives through `torch.func`, which knows nothing of the closed form."""
    layer, x = drawn(Contractive(7, weight=0.3, activation=activation, tied=tied)), table(rows[:10])
    per_row = torch.func.vmap(torch.func.jacrev(lambda row: layer.encode(row[None])[0]))(x)
    value = layer.output.loss(layer.decoder_logits(layer.encode(x)), x) + 0.3 * per_row.square().sum() / len(x)
    expected = torch.autograd.grad(value, list(layer.parameters()))
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with torch.no_grad():
        made = layer.accumulate_gradients(layer.prepare(x, None, None), Accumulation(0.0, 1.0))
    torch.testing.assert_close(made, value.detach())
    torch.testing.assert_close([parameter.grad for parameter in layer.parameters()], list(expected))


@each_activation
def test_the_figures_are_those_of_torchs_jacobians_and_of_the_codes(rows, activation):
    layer, x = drawn(Contractive(7, activation=activation, random_bias=True)), 3 * table(rows)
    figures = layer.inspect(x)
    norms = torch.linalg.matrix_norm(jacobians(layer, x), ord="fro")
    assert figures["jacobian_norm"].item() == pytest.approx(norms.mean().item(), rel=1e-12)
    low, high = LIMITS[activation]
    codes, margin = layer.encode(x).detach().numpy(), 0.05 * (high - low)
    near_an_end = (codes < low + margin) | (codes > high - margin)
    assert figures["saturated_units"].item() == pytest.approx(near_an_end.mean(), rel=1e-12)
    assert 0 < near_an_end.mean() < 1


def test_the_record_has_the_figures_of_the_weights_after_the_epoch(rows):
    stack = trained(Contractive(7), rows)
    layer, history = stack.layers[0], stack.histories[0]
    norms = torch.linalg.matrix_norm(jacobians(layer, table(rows)), ord="fro")
    assert history["jacobian_norm"][-1] == pytest.approx(norms.mean().item(), rel=1e-9)
    assert len(history["saturated_units"]) == 3


@each_activation
def test_a_larger_weight_leaves_a_smaller_jacobian(rows, activation):
    config = TrainingConfig(epochs=30, batch_size=20)
    norms = [
        trained(Contractive(7, weight=w, activation=activation), rows, config).histories[0]["jacobian_norm"][-1]
        for w in (0.0, 0.1, 1.0)
    ]
    assert norms == sorted(norms, reverse=True)
    assert len(set(norms)) == 3


@each_activation
def test_without_weight_it_is_a_plain_layer(rows, activation):
    ours, plain = (trained(kind, rows) for kind in (Contractive(7, activation, weight=0), Plain(7, activation)))
    np.testing.assert_allclose(ours.encode(rows), plain.encode(rows), rtol=1e-12, atol=1e-15)


def test_validation_is_by_the_reconstruction_alone(rows):
    stack = StackedAutoencoder([Contractive(7, weight=5.0)], CONFIG, dtype="float64").fit(rows, validation=rows[:30])
    expected = np.sum((stack.reconstruct(rows[:30]) - rows[:30]) ** 2) / 60
    assert stack.histories[0]["validation_loss"][-1] == pytest.approx(expected, rel=1e-9)


def test_a_line_search_lowers_the_whole_objective(rows):
    config = TrainingConfig(epochs=5, batch_size=None, optimizer=LBFGS(iterations=5))
    losses = trained(Contractive(7, weight=0.5), rows, config).histories[0]["loss"]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_codes_that_cannot_saturate_are_refused(activation):
    with pytest.raises(StackedError, match=rf"activation.*received '{activation}'"):
        Contractive(7, activation=activation)
