"""The hand-derived gradients against autograd, and autograd against finite differences."""

import pytest
import torch
from torch import nn

from stacked import ClassifierSettings, FeedforwardClassifier
from stacked.gradients import Accumulation
from stacked.model import Batch, Model
from stacked.randomness import Seeded

HOW = Accumulation(decay=0.6, scale=0.25)


def made(settings, n_inputs=12):
    model = settings.build(n_inputs, torch.float64)
    model.draw(Seeded(3).stream("weights"))
    return model


def network(output, dropout=0.0, weight_decay=0.0, activations=("sigmoid", "tanh")):
    settings = ClassifierSettings(
        (12, 6, 5, 4), activations, output=output, dropout=dropout, weight_decay=weight_decay
    )
    return FeedforwardClassifier(settings, seed=3, dtype="float64").network(above=0)


def rows_and_labels():
    random = torch.Generator().manual_seed(5)
    x = torch.rand(9, 12, generator=random, dtype=torch.float64)
    return x, torch.randint(4, (9,), generator=random)


def fill_gradients(model: Model) -> dict[str, torch.Tensor]:
    """Gradients that are there before, and must decay."""
    before = {}
    for i, (name, parameter) in enumerate(model.named_parameters()):
        parameter.grad = torch.full_like(parameter, 0.1 * (i + 1))
        before[name] = parameter.grad.clone()
    return before


def check_against_autograd(model: Model, batch: Batch) -> None:
    state = {name: value.clone() for name, value in model.state_dict().items()}
    value = model.objective(batch)
    slopes = torch.autograd.grad(value, list(model.parameters()))
    model.load_state_dict(state)  # a running mean moves with every evaluation
    before = fill_gradients(model)
    with torch.no_grad():
        by_hand = model.accumulate_gradients(batch, HOW)
    assert by_hand.item() == pytest.approx(value.item(), rel=1e-12)
    for (name, parameter), slope in zip(model.named_parameters(), slopes, strict=True):
        torch.testing.assert_close(
            parameter.grad, HOW.decay * before[name] + HOW.scale * slope, rtol=1e-10, atol=1e-12
        )


def test_every_kind_of_layer(settings):
    model = made(settings)
    x, _ = rows_and_labels()
    check_against_autograd(model, model.prepare(x, None, Seeded(1).stream("noise")))


def test_a_smaller_batch_after_a_larger_one(settings):
    model = made(settings)
    x, _ = rows_and_labels()
    for n in (9, 4, 9):
        check_against_autograd(model, model.prepare(x[:n], None, Seeded(1).stream("noise")))


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize("activations", [("sigmoid", "tanh"), ("relu", "scaled_tanh")])
def test_classifiers(output, dropout, weight_decay, activations):
    model = network(output, dropout, weight_decay, activations)
    batch = model.prepare(*rows_and_labels(), Seeded(1).stream("noise"))
    assert bool(batch.draws) == (dropout > 0)
    check_against_autograd(model, batch)


def test_objectives_pass_gradcheck(settings):
    model = made(settings)
    if model.steps_once:  # its slope is by definition not that of its value
        return
    x, _ = rows_and_labels()
    batch = model.prepare(x, None, Seeded(1).stream("noise"))
    names = [name for name, _ in model.named_parameters()]

    def value(*parameters):
        return torch.func.functional_call(_Objective(model), dict(zip(names, parameters, strict=True)), (batch,))

    inputs = [parameter.detach().clone().requires_grad_() for parameter in model.parameters()]
    names = [f"model.{name}" for name in names]
    assert torch.autograd.gradcheck(value, inputs)


class _Objective(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, batch):
        return self.model.objective(batch)


def test_the_generic_path_gives_the_same_gradients(settings):
    by_hand, generic = made(settings), made(settings)
    x, _ = rows_and_labels()
    batch = by_hand.prepare(x, None, Seeded(1).stream("noise"))
    for model, accumulate in ((by_hand, by_hand.accumulate_gradients), (generic, _generic(generic))):
        fill_gradients(model)
        with torch.no_grad():
            accumulate(batch, HOW)
    for mine, theirs in zip(by_hand.parameters(), generic.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-10, atol=1e-12)


def _generic(model):
    return lambda batch, how: Model.accumulate_gradients(model, batch, how)


def test_decay_zero_forgets_what_the_gradient_held(settings):
    model = made(settings)
    x, _ = rows_and_labels()
    batch = model.prepare(x, None, None)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, torch.nan)
    with torch.no_grad():
        model.accumulate_gradients(batch, Accumulation(0.0, 1.0))
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
