"""Sparse layers: the k largest, annealing, decoders of unit norm, new weights for dead units, the figures."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from stacked import (
    LBFGS,
    SGD,
    Callback,
    L1Sparsity,
    Plain,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TopK,
    TrainingConfig,
)
from stacked.autoencoders.revival import give_new_weights
from stacked.autoencoders.sparsity import Sparsity
from stacked.dense import Dense, TiedDense
from stacked.gradients import Accumulation
from stacked.randomness import Seeded

CONFIG = TrainingConfig(epochs=3, batch_size=20)
LIGHT = L1Sparsity(0.01)
tied_or_not = pytest.mark.parametrize("tied", [False, True])


def trained(settings, rows, config=CONFIG, callbacks=(), **options):
    return StackedAutoencoder([settings], config, dtype="float64").fit(rows, callbacks=callbacks, **options)


def drawn(settings):
    layer = settings.build(12, torch.float64)
    layer.draw(Seeded(3).stream("weights"))
    return layer


def weights(layer):
    return [parameter.detach().clone() for parameter in layer.parameters()]


class Watch(Callback):
    """Keeps what `look` sees of the model after every step."""

    def __init__(self, look):
        self.look, self.seen = look, []

    def on_step(self, training, n_rows):
        self.seen.append(self.look(training.model))


# The k largest


@pytest.mark.parametrize("k", [1, 3, 7])
def test_sigmoid_codes_have_exactly_k_units_a_row(rows, k):
    stack = trained(Sparse(7, penalty=TopK(k)), rows)
    assert ((stack.encode(rows) != 0).sum(axis=1) == k).all()
    assert stack.histories[0]["active_units"][-1] <= k


def test_relu_codes_are_the_positive_ones_among_the_k_largest(rows):
    stack = trained(Sparse(7, penalty=TopK(3), activation="relu", random_bias=True), rows)
    (encoder,) = stack.encoder_layers
    sums = rows.astype(float) @ encoder.weight.detach().numpy().T + encoder.bias.detach().numpy()
    third = np.sort(sums, axis=1)[:, -3:-2]
    np.testing.assert_allclose(stack.encode(rows), np.where(sums >= third, np.maximum(sums, 0), 0), atol=1e-12)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("penalty", [TopK(7), L1Sparsity(0)], ids=["all", "free"])
def test_without_sparsity_it_is_a_plain_layer(rows, activation, penalty):
    sparse, plain = (trained(kind(7, activation), rows) for kind in (_with(penalty), Plain))
    np.testing.assert_allclose(sparse.encode(rows), plain.encode(rows), rtol=1e-12, atol=1e-15)


def _with(penalty):
    return lambda n_units, activation: Sparse(n_units, activation, penalty=penalty)


def test_k_falls_in_a_straight_line_step_by_step(rows):
    watch = Watch(lambda model: model.encoder.activation.name)
    trained(Sparse(7, penalty=TopK(2, initial_k=7, annealing=1.5)), rows, callbacks=[watch])
    passed = [epoch + start / 130 for epoch in range(3) for start in range(0, 130, 20)]
    expected = np.rint(np.interp(passed, [0, 1.5], [7, 2])).astype(int)
    assert watch.seen == [f"sigmoid_top_{k}" for k in expected]
    assert {*expected} == {2, 3, 4, 5, 6, 7}


@pytest.mark.parametrize("annealing", [0.5, 3.0, 100.0])
def test_codes_have_the_final_k_whenever_training_ended(rows, annealing):
    stack = trained(Sparse(7, penalty=TopK(2, initial_k=6, annealing=annealing)), rows)
    assert ((stack.encode(rows) != 0).sum(axis=1) == 2).all()


def test_validation_is_by_the_final_k_while_k_falls(rows):
    """So that early stopping compares epochs, and picks what the codes will be."""
    config = TrainingConfig(epochs=4, batch_size=20, optimizer=SGD(0.0))
    settings = Sparse(7, penalty=TopK(1, initial_k=7, annealing=3), activation="relu")
    stack = trained(settings, rows, config, validation=rows[:30])
    expected = np.sum((stack.reconstruct(rows[:30]) - rows[:30]) ** 2) / 60
    assert stack.histories[0]["validation_loss"] == pytest.approx([expected] * 4, rel=1e-9)
    losses = stack.histories[0]["loss"]  # of minibatches, with the k of the time
    assert losses[-1] != pytest.approx(losses[0], rel=0.01)


def test_a_start_below_the_end_or_above_the_units_is_refused():
    for make in (
        lambda: TopK(3, initial_k=2, annealing=1),
        lambda: TopK(3, initial_k=5),
        lambda: TopK(3, annealing=2.0),
        lambda: Sparse(4, penalty=TopK(5)),
        lambda: Sparse(4, penalty=TopK(2, initial_k=5, annealing=1)),
        lambda: Sparse(4, penalty=TopK(2), activation="tanh"),
    ):
        with pytest.raises(StackedError, match="expected"):
            make()


# A decoder of unit norm


@tied_or_not
@pytest.mark.parametrize("penalty", [L1Sparsity(0.1), TopK(2)], ids=["l1", "top-k"])
def test_the_decoder_of_every_unit_has_length_1_from_the_start_and_after_every_step(rows, tied, penalty):
    settings = Sparse(7, penalty=penalty, unit_norm=True, tied=tied, output="linear")
    watch = Watch(lambda model: np.linalg.norm(model.decoder.weight.detach().numpy(), axis=0))
    trained(settings, rows, TrainingConfig(epochs=2, batch_size=20, optimizer=SGD(0.5, 0.9)), [watch])
    lengths = [np.linalg.norm(drawn(settings).decoder.weight.detach().numpy(), axis=0), *watch.seen]
    np.testing.assert_allclose(lengths, np.ones((1 + 2 * 7, 7)), rtol=1e-12)


def test_a_step_with_unit_norm_is_a_free_step_and_then_a_scaling(rows):
    start = drawn(Sparse(7, penalty=L1Sparsity(0.1), unit_norm=True, output="linear"))
    free = Sparse(7, penalty=L1Sparsity(0.1), output="linear").build(12, torch.float64)
    free.load_state_dict(start.state_dict())
    x = torch.from_numpy(rows).double()
    slopes = torch.autograd.grad(free.objective(free.prepare(x, None, None)), list(free.parameters()))
    expected = [parameter.detach() - 0.3 * slope for parameter, slope in zip(free.parameters(), slopes, strict=True)]
    expected[2] /= expected[2].norm(dim=0)
    config = TrainingConfig(epochs=1, batch_size=None, optimizer=SGD(0.3))
    stack = StackedAutoencoder([start.settings], config, seed=_Start(start), dtype="float64").fit(rows)
    torch.testing.assert_close(weights(stack.layers[0]), expected)


class _Start(Seeded):
    """Draws the weights that `drawn` draws."""

    def stream(self, *purpose, device="cpu"):
        return Seeded(3).stream("weights") if purpose[-1] == "weights" else super().stream(*purpose, device=device)

    def __init__(self, layer):
        super().__init__(0)


def test_a_line_search_is_refused_under_unit_norm(rows):
    config = TrainingConfig(batch_size=None, optimizer=LBFGS())
    with pytest.raises(StackedError, match="evaluates each batch of layer 1 once, for its unit-norm decoder"):
        trained(Sparse(7, penalty=L1Sparsity(0.1), unit_norm=True), rows, config)


# Figures


@pytest.mark.parametrize(
    ("activation", "threshold"), [("relu", 0.0), ("sigmoid", 0.1), ("tanh", 0.1), ("scaled_tanh", 0.1)]
)
def test_the_figures_are_those_of_numpy(rows, activation, threshold):
    layer = drawn(Sparse(7, activation, "linear", penalty=L1Sparsity(0.1), random_bias=True))
    with torch.no_grad():
        layer.encoder.weight[:2] *= 0.01
        layer.encoder.bias[:2] = -5 if activation in ("relu", "sigmoid") else 0
        figures = layer.inspect(torch.from_numpy(rows).double())
        codes = layer.encode(torch.from_numpy(rows).double()).numpy()
    active = np.abs(codes) > threshold
    rebuilt = codes @ layer.decoder.weight.detach().numpy().T + layer.decoder.bias.detach().numpy()
    assert figures["active_units"].item() == pytest.approx(active.sum() / 130, rel=1e-12)
    assert figures["dead_units"].item() == 7 - active.any(axis=0).sum() >= 2
    unexplained = np.sum((rows - rebuilt) ** 2) / np.sum(rows.astype(float).var(axis=0) * 130)
    assert figures["unexplained_variance"].item() == pytest.approx(unexplained, rel=1e-6)


@torch.no_grad()
def test_a_sigmoid_unit_among_the_k_largest_lives_however_small_its_code(rows):
    layer, x = drawn(Sparse(7, penalty=TopK(3), revive=True)), torch.from_numpy(rows).double()
    layer.encoder.weight.mul_(0.001)
    layer.encoder.bias.copy_(torch.tensor([-3.0, -3.0, -3.0, -9.0, -9.0, -9.0, -9.0]))
    assert 0 < layer.encode(x).max() < 0.1
    figures = layer.inspect(x)
    assert (figures["active_units"], figures["dead_units"]) == (3, 4)
    before = layer.encoder.weight.clone()
    layer.revive(x, Seeded(0).stream("noise"))
    changed = (layer.encoder.weight != before).any(dim=1)
    assert changed.tolist() == [False] * 3 + [True] * 4


# Another sparsity


@dataclass(frozen=True)
class SquaredCodes(Sparsity):
    """weight / 2 * mean over rows of the sum of squared codes."""

    weight: float

    def value(self, codes, remember):
        return self.weight / 2 * codes.square().sum() / len(codes)

    def with_slope(self, remember):
        return lambda codes: (self.value(codes, remember), self.weight * codes)


def test_another_sparsity_is_one_class(rows):
    layer, x = drawn(Sparse(7, penalty=SquaredCodes(0.3))), torch.from_numpy(rows).double()
    batch = layer.prepare(x, None, None)
    slopes = torch.autograd.grad(layer.objective(batch), list(layer.parameters()))
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with torch.no_grad():
        layer.accumulate_gradients(batch, Accumulation(0.0, 1.0))
    torch.testing.assert_close(tuple(parameter.grad for parameter in layer.parameters()), slopes)
    few, free = (np.square(trained(Sparse(7, penalty=SquaredCodes(w)), rows).encode(rows)).sum() for w in (9.0, 0.0))
    assert few < free


# Dead units


def killed(tied=False, dead=(1, 4), penalty=LIGHT, **options):
    """A relu layer some of whose units are active on no row."""
    layer = drawn(Sparse(7, "relu", penalty=penalty, revive=True, tied=tied, **options))
    with torch.no_grad():
        layer.encoder.bias.fill_(5)
        layer.encoder.bias[list(dead)] = -1e3
    return layer


@tied_or_not
@pytest.mark.parametrize(("penalty", "share"), [(L1Sparsity(0.01), 0.2), (TopK(5), 1.0)], ids=["l1", "top-k"])
@torch.no_grad()
def test_dead_units_point_at_what_is_missed_and_the_living_stay(rows, tied, penalty, share):
    layer, x = killed(tied, penalty=penalty), torch.from_numpy(rows).double()
    missed = torch.nn.functional.normalize(x - layer.decode(layer.encode(x)), dim=1)
    before = layer.encoder.weight.clone(), layer.encoder.bias.clone(), layer.decoder.weight.clone()
    layer.revive(x, Seeded(0).stream("noise"))
    after = layer.encoder.weight, layer.encoder.bias, layer.decoder.weight
    living, length = [0, 2, 3, 5, 6], share * before[0][[0, 2, 3, 5, 6]].norm(dim=1).mean()
    for unit in (1, 4):
        direction = torch.nn.functional.normalize(after[0][unit], dim=0)
        assert (missed - direction).abs().amax(dim=1).min() < 1e-12
        torch.testing.assert_close(after[0][unit], length * direction)
        torch.testing.assert_close(after[2][:, unit], after[0][unit] if tied else direction)
    assert after[1][[1, 4]].tolist() == [0, 0]
    for old, new, dim in zip(before, after, (0, 0, 1), strict=True):
        assert torch.equal(old.index_select(dim, torch.tensor(living)), new.index_select(dim, torch.tensor(living)))


def test_rows_are_drawn_by_their_squared_loss():
    """Losses 0, 1, 2 and 4: chances 0, 1/21, 4/21 and 16/21, within five standard errors."""
    n, residuals = 20_000, torch.diag(torch.tensor([0.0, 1.0, 2.0, 4.0], dtype=torch.float64).sqrt())
    encoder, decoder = (Dense(*shape, "relu", torch.float64) for shape in ((4, n + 1), (n + 1, 4)))
    give_new_weights(torch.arange(n), encoder, decoder, residuals, Seeded(0).stream("noise"))
    drawn_rows = np.bincount(decoder.weight[:, :n].detach().argmax(dim=0).numpy(), minlength=4)
    chances = np.array([0, 1, 4, 16]) / 21
    assert (np.abs(drawn_rows - n * chances) <= 5 * np.sqrt(n * chances * (1 - chances))).all()


@tied_or_not
@torch.no_grad()
def test_a_unit_that_draws_a_row_of_which_nothing_is_missed_keeps_its_weights(tied):
    encoder = Dense(4, 6, "relu", torch.float64)
    decoder = TiedDense(encoder, "linear") if tied else Dense(6, 4, "linear", torch.float64)
    for parameter in {*encoder.parameters(), *decoder.parameters()}:
        parameter.copy_(torch.arange(1.0, 1 + parameter.numel()).reshape(parameter.shape))
    before = encoder.weight.clone(), encoder.bias.clone(), decoder.weight.clone()
    give_new_weights(torch.tensor([2, 5]), encoder, decoder, torch.zeros(3, 4).double(), Seeded(0).stream("noise"))
    assert all(map(torch.equal, before, (encoder.weight, encoder.bias, decoder.weight)))


@tied_or_not
def test_the_velocities_of_new_weights_are_forgotten_and_no_others(tied):
    encoder = Dense(4, 6, "relu", torch.float64)
    decoder = TiedDense(encoder, "linear") if tied else Dense(6, 4, "linear", torch.float64)
    for parameter in {*encoder.parameters(), *decoder.parameters()}:
        parameter.grad = torch.ones_like(parameter)
    give_new_weights(torch.tensor([2, 5]), encoder, decoder, torch.ones(3, 4).double(), Seeded(0).stream("noise"))
    kept = torch.tensor([1, 1, 0, 1, 1, 0]).double()
    assert torch.equal(encoder.bias.grad, kept)
    assert torch.equal(encoder.weight.grad, kept[:, None].expand(6, 4))
    assert torch.equal(decoder.weight_gradient, kept.expand(4, 6))
    assert torch.equal(decoder.bias.grad, torch.ones(4).double())


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"unit_norm": True}], ids=["free", "unit-norm"])
def test_units_come_alive_even_when_all_are_dead(rows, options):
    layer, x = killed(dead=range(7), **options), torch.from_numpy(rows).double()
    assert layer.inspect(x)["dead_units"] == 7
    layer.revive(x, Seeded(0).stream("noise"))
    assert layer.inspect(x)["dead_units"] < 7
    lengths = layer.decoder.weight.norm(dim=0)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))


@torch.no_grad()
def test_nothing_is_revived_where_it_is_not_wanted_or_not_needed(rows, monkeypatch):
    x = torch.from_numpy(rows).double()
    unwanted = Sparse(7, "relu", penalty=L1Sparsity(0.01)).build(12, torch.float64)
    monkeypatch.setattr(unwanted, "encode", None)  # nor is the sample encoded for nothing
    for layer in (killed(dead=()), unwanted):
        before = weights(layer)
        layer.revive(x, Seeded(0).stream("noise"))
        assert all(map(torch.equal, before, weights(layer)))


@pytest.mark.parametrize("penalty", [L1Sparsity(0.5), TopK(2)], ids=["l1", "top-k"])
def test_fewer_units_are_dead_in_the_end_where_they_are_revived(rows, penalty):
    config, dead = TrainingConfig(epochs=20, batch_size=20), {}
    for revive in (False, True):
        settings = Sparse(80, "relu", "linear", penalty=penalty, revive=revive)
        first, again = (trained(settings, rows, config) for _ in range(2))
        assert np.array_equal(first.encode(rows), again.encode(rows))
        dead[revive] = first.histories[0]["dead_units"][-1]
    assert dead[True] < dead[False]


def test_after_the_last_epoch_nothing_is_revived(rows):
    stacks = [
        trained(Sparse(80, "relu", penalty=TopK(2), revive=revive), rows, TrainingConfig(epochs=1, batch_size=20))
        for revive in (False, True)
    ]
    assert stacks[0].histories[0]["dead_units"][0] > 0
    assert np.array_equal(*(stack.encode(rows) for stack in stacks))
