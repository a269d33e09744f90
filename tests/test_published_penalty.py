"""The published softmax penalty: it has a value, and no gradient."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stacked import SGD, KLSparsity, Plain, Sparse, StackedAutoencoder, TrainingConfig
from stacked.losses import kl_divergence

sys.path.append(str(Path(__file__).parents[1] / "experiments"))
from published_penalty import SoftmaxPenalised, penalty_slope

TRAINING = TrainingConfig(epochs=3, batch_size=26, optimizer=SGD(0.2))


def trained(layer, rows):
    return StackedAutoencoder([layer], TRAINING, dtype="float64").fit(rows)


def test_it_is_the_divergence_of_one_over_the_batch_for_every_unit(rows):
    (layer,) = trained(SoftmaxPenalised(7, weight=2.0, target=0.1), rows).layers
    x = torch.from_numpy(rows.astype(np.float64))
    expected = 2.0 * kl_divergence(torch.full((7,), 1 / len(rows), dtype=torch.float64), 0.1)
    assert layer.code_penalty_value(layer.encode(x)).item() == pytest.approx(expected.item(), rel=1e-12)


def test_its_gradient_is_nothing_but_rounding_where_the_right_one_has_a_gradient(rows):
    weight = 0.1
    published = penalty_slope(trained(SoftmaxPenalised(7, weight=weight), rows).layers[0], rows)
    right = penalty_slope(trained(Sparse(7, penalty=KLSparsity(weight)), rows).layers[0], rows)
    assert published < 1e-10 * weight
    assert right > 1e-3 * weight


def test_training_with_it_is_training_without(rows):
    with_it, without = (trained(layer, rows).encode(rows) for layer in (SoftmaxPenalised(7, weight=5.0), Plain(7)))
    np.testing.assert_allclose(with_it, without, rtol=1e-9, atol=1e-12)


def test_no_penalty_has_no_slope(rows):
    assert penalty_slope(trained(Plain(7), rows).layers[0], rows) is None
