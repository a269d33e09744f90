"""Learning-rate schedules against closed forms and torch's."""

import math

import pytest
import torch

from stacked import CosineDecay, ExponentialDecay
from stacked.errors import StackedError

EPOCHS = 12


def torchs(make, rate=0.25):
    """The learning rate of every epoch under a scheduler of torch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], rate)
    scheduler, rates = make(optimizer), []
    for _ in range(EPOCHS):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.97, 1.0])
def test_exponential_decay_is_torchs(factor):
    expected = torchs(lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, factor))
    rates = [0.25 * ExponentialDecay(factor).at(epoch, EPOCHS) for epoch in range(EPOCHS)]
    assert rates == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_cosine_decay_is_torchs(final):
    make = torch.optim.lr_scheduler.CosineAnnealingLR
    expected = torchs(lambda optimizer: make(optimizer, EPOCHS, eta_min=0.25 * final))
    rates = [0.25 * CosineDecay(final).at(epoch, EPOCHS) for epoch in range(EPOCHS)]
    assert rates == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("schedule", [ExponentialDecay(0.5), ExponentialDecay(0), CosineDecay(), CosineDecay(0.3)])
@pytest.mark.parametrize("epochs", [1, 2, 10])
def test_the_first_epoch_has_the_full_rate(schedule, epochs):
    assert schedule.at(0, epochs) == 1


def test_half_way_the_cosine_is_at_the_middle():
    assert CosineDecay(0.2).at(5, 10) == pytest.approx(0.6, rel=1e-15)


def test_the_cosine_would_end_at_its_final_factor():
    assert CosineDecay(0.2).at(10, 10) == pytest.approx(0.2, rel=1e-15)


@pytest.mark.parametrize(("kind", "field"), [(ExponentialDecay, "factor"), (CosineDecay, "final")])
@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, "0.5", None, True])
def test_factors_lie_between_zero_and_one(kind, field, value):
    with pytest.raises(StackedError, match=f"{field}: expected a number from 0 to 1"):
        kind(value)
