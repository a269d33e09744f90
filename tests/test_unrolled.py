"""The whole stack as one deep autoencoder: gradients, the training, and that nothing stale is left behind."""

import numpy as np
import pytest
import torch
from test_gradients import check_against_autograd

from stacked import (
    LBFGS,
    SGD,
    Adam,
    Callback,
    CodeCache,
    Contractive,
    Denoising,
    DivergedError,
    FeedforwardClassifier,
    Masking,
    Plain,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TopK,
    TrainingConfig,
    Variational,
    load_stack,
    save,
)
from stacked.unrolled import Unrolled

CONFIG = TrainingConfig(epochs=2, batch_size=20)
STACKS = {
    "one": [Plain(7, random_bias=True)],
    "plain": [Plain(7), Plain(5, activation="tanh"), Plain(3, output="linear")],
    "tied": [
        Plain(7, tied=True),
        Plain(5, tied=True, output="linear", activation="tanh"),
        Plain(4, tied=True, output="linear"),
    ],
    "some tied": [Plain(7, tied=True), Plain(5), Plain(4, tied=True, activation="scaled_tanh")],
    "mixed": [
        Denoising(8, corruption=Masking(0.3), loss="cross_entropy"),
        Contractive(6, tied=True),
        Sparse(5, penalty=TopK(2), tied=True, unit_norm=True),
    ],
    "top-k": [Sparse(9, penalty=TopK(4), activation="relu", output="linear"), Plain(4, output="linear")],
    "variational": [Plain(8), Variational(3, hidden=6)],
    "variational below": [Variational(5, hidden=8, output="linear", activation="tanh"), Plain(3, output="linear")],
}


@pytest.fixture(params=STACKS)
def layers(request):
    """Settings of each stack in turn."""
    return STACKS[request.param]


def drawn(layers, **options):
    return StackedAutoencoder(layers, CONFIG, dtype="float64", **options).draw(12)


def weights(stack):
    state = torch.nn.ModuleList(stack.layers).state_dict()
    return {name: value.clone() for name, value in state.items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def loss(stack, rows):
    """Of the reconstruction, by NumPy; as the lowest layer judges it."""
    x, y = rows.astype(float), stack.reconstruct(rows)
    if stack.settings[0].loss == "cross_entropy":
        return -np.sum(x * np.log(y) + (1 - x) * np.log1p(-y)) / len(x)
    return np.sum((y - x) ** 2) / (2 * len(x))


# Gradients and training


def test_the_gradients_by_hand_are_those_of_autograd(layers, rows):
    model = Unrolled(drawn(layers).layers)
    for n in (9, 4, 9):
        check_against_autograd(model, model.prepare(torch.from_numpy(rows[:n]).double(), None, None))


def test_the_objective_has_the_slope_of_finite_differences_and_is_the_loss_of_the_reconstruction(layers, rows):
    stack = drawn(layers)
    model, x = Unrolled(stack.layers), torch.from_numpy(rows[:5]).double()
    names = [name for name, _ in model.named_parameters()]
    inputs = [parameter.detach().clone().requires_grad_() for parameter in model.parameters()]

    def value(*parameters):
        with torch.no_grad():
            for name, parameter in zip(names, parameters, strict=True):
                model.get_parameter(name).copy_(parameter)
        return model.objective(model.prepare(x, None, None))

    assert value(*inputs).item() == pytest.approx(loss(stack, rows[:5]), rel=1e-9)
    slopes = torch.autograd.grad(value(*inputs), list(model.parameters()))
    for k, slope in enumerate(slopes):
        step = torch.zeros_like(slope)
        step.view(-1)[slope.abs().argmax()] = 1e-6
        ends = [value(*inputs[:k], inputs[k] + sign * step, *inputs[k + 1 :]).item() for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope.view(-1)[slope.abs().argmax()].item(), rel=1e-4)


def by_torch(stack, rows, steps, rate, momentum):
    """The same descent on all rows by autograd, on modules of torch and tied weights as shared parameters."""
    function = {"sigmoid": torch.sigmoid, "relu": torch.relu, "tanh": torch.tanh, "linear": lambda z: z}
    ups = [[p.detach().clone().requires_grad_() for p in (e.weight, e.bias)] for e in stack.encoder_layers]
    downs = []
    for layer, up in zip(stack.layers, ups, strict=True):
        weight = None if layer.settings.tied else layer.decoder.weight.detach().clone().requires_grad_()
        downs.append((up[0], weight, layer.decoder.bias.detach().clone().requires_grad_()))
    leaves = [p for up in ups for p in up] + [p for _, w, b in downs for p in (w, b) if p is not None]
    descent, x = torch.optim.SGD(leaves, lr=rate, momentum=momentum), torch.from_numpy(rows).double()
    for _ in range(steps):
        a = x
        for (weight, bias), settings in zip(ups, stack.settings, strict=True):
            a = function[settings.activation](a @ weight.T + bias)
        for (up, weight, bias), settings in list(zip(downs, stack.settings, strict=True))[::-1]:
            a = function[settings.output](a @ (up if weight is None else weight.T) + bias)
        descent.zero_grad()
        ((a - x).square().sum() / (2 * len(x))).backward()
        descent.step()
    return ups, downs


@pytest.mark.parametrize("kind", ["one", "plain", "tied"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_full_batches_train_as_a_network_built_by_hand(rows, kind, momentum):
    stack = drawn(STACKS[kind])
    ups, downs = by_torch(stack, rows, 25, 0.05, momentum)
    stack.fine_tune(rows, TrainingConfig(epochs=25, batch_size=None, optimizer=SGD(0.05, momentum)))
    for layer, (weight, bias), (_, down, back) in zip(stack.layers, ups, downs, strict=True):
        expected = [weight, bias, weight.T if down is None else down, back]
        made = [layer.encoder.weight, layer.encoder.bias, layer.decoder.weight, layer.decoder.bias]
        torch.testing.assert_close(made, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("optimizer", [Adam(0.003), LBFGS(iterations=5)], ids=["adam", "lbfgs"])
def test_fine_tuning_lowers_the_loss_of_the_reconstruction(layers, rows, optimizer):
    stack = StackedAutoencoder(layers, CONFIG, dtype="float64").fit(rows)
    before = loss(stack, rows)
    stack.fine_tune(rows, TrainingConfig(epochs=15, batch_size=None, optimizer=optimizer), validation=rows)
    history = stack.fine_tuning
    assert loss(stack, rows) == pytest.approx(history["validation_loss"][-1], rel=1e-9)
    assert history["loss"][0] == pytest.approx(before, rel=1e-9)
    assert history["validation_loss"][-1] < before


def test_drawn_weights_are_those_that_fit_starts_from(layers, rows):
    start = StackedAutoencoder(layers, TrainingConfig(epochs=0, batch_size=20), dtype="float64").fit(rows)
    stack = drawn(layers)
    assert same(weights(stack), weights(start))
    assert [len(history) for history in stack.histories] == [0] * len(layers)
    stack.fine_tune(rows, CONFIG)
    assert len(stack.fine_tuning) == 2


def test_the_same_seed_gives_the_same_fine_tuning(layers, rows):
    first, again, other = (drawn(layers, seed=seed).fine_tune(rows, CONFIG) for seed in (1, 1, 2))
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


def test_log_variances_play_no_part(rows):
    stack = drawn(STACKS["variational below"])
    before = weights(stack)
    after = weights(stack.fine_tune(rows, CONFIG))
    stayed = {name for name in before if torch.equal(before[name], after[name])}
    assert stayed == {"0.log_variance.weight", "0.log_variance.bias", "0.log_deviation"}


def test_a_classifier_takes_over_what_was_fine_tuned(layers, rows):
    stack = drawn(layers).fine_tune(rows, CONFIG)
    classifier = FeedforwardClassifier.from_stack(stack, 3)
    assert np.array_equal(classifier.hidden(rows), stack.encode(rows))
    before = weights(stack)
    classifier.fit(rows, np.arange(130) % 3, CONFIG)
    assert same(before, weights(stack))


# Nothing stale, nothing half-trained


def test_codes_in_the_cache_from_before_are_not_given_after(layers, rows, tmp_path):
    cache = CodeCache(tmp_path)
    stack = StackedAutoencoder(layers, CONFIG, dtype="float64", cache=cache).fit(rows)
    before = [np.array(stack.encode(rows, depth)) for depth in range(1, len(layers) + 1)]
    stack.fine_tune(rows, CONFIG)
    for depth, old in enumerate(before, start=1):
        codes = stack.encode(rows, depth)
        assert not np.array_equal(codes, old)
        with torch.no_grad():
            fresh = torch.from_numpy(rows).double()
            for layer in stack.layers[:depth]:
                fresh = layer.encode(fresh)
        np.testing.assert_allclose(codes, fresh.numpy(), rtol=1e-9, atol=1e-12)


def test_a_fine_tuning_that_is_broken_off_leaves_everything_as_it_was(layers, rows):
    class Interrupt(Callback):
        def on_epoch(self, training, record):
            if record["epoch"] == 2:
                raise KeyboardInterrupt

    stack = drawn(layers).fine_tune(rows, CONFIG)
    before, history = weights(stack), stack.fine_tuning
    with pytest.raises(KeyboardInterrupt):
        stack.fine_tune(rows, TrainingConfig(epochs=3, batch_size=20), callbacks=[Interrupt()])
    assert same(weights(stack), before)
    assert stack.fine_tuning is history
    assert all(parameter.grad is None for layer in stack.layers for parameter in layer.parameters())


def test_a_fine_tuning_that_diverges_leaves_everything_as_it_was(rows):
    stack = drawn([Plain(7, activation="relu", output="linear"), Plain(5, activation="relu", output="linear")])
    before = weights(stack)
    with pytest.raises(DivergedError, match=r"deep autoencoder: the .* lower the learning rate"):
        stack.fine_tune(rows, TrainingConfig(epochs=5, batch_size=20, optimizer=SGD(1e6)))
    assert same(weights(stack), before)
    assert len(stack.fine_tuning) == 0


def test_it_is_saved_and_loaded_with_its_history(layers, rows, tmp_path):
    stack = drawn(layers).fine_tune(rows, CONFIG, validation=rows[:20])
    loaded = load_stack(save(stack, tmp_path))
    assert loaded.fine_tuning.records == stack.fine_tuning.records
    assert same(weights(loaded), weights(stack))
    again = [model.fine_tune(rows, CONFIG) for model in (stack, loaded)]
    assert same(*map(weights, again))


def test_fitting_anew_forgets_the_fine_tuning(rows):
    stack = drawn(STACKS["plain"]).fine_tune(rows, CONFIG).fit(rows)
    assert len(stack.fine_tuning) == 0
    assert same(weights(stack), weights(StackedAutoencoder(STACKS["plain"], CONFIG, dtype="float64").fit(rows)))


def test_early_stopping_restores_the_best_weights(rows):
    config = TrainingConfig(epochs=60, batch_size=20, optimizer=SGD(3.0, momentum=0.9), patience=2)
    stack = drawn(STACKS["plain"][:2]).fine_tune(rows, config, validation=rows[:30])
    assert len(stack.fine_tuning) < 60
    assert loss(stack, rows[:30]) == pytest.approx(min(stack.fine_tuning["validation_loss"]), rel=1e-9)


BAD = {
    "before fit": (lambda x: StackedAutoencoder([Plain(3)]).fine_tune(x), "expected a trained one"),
    "width": (lambda x: drawn([Plain(3)]).fine_tune(x[:, :5]), "x: expected 12 columns, received 5"),
    "no rows": (lambda x: drawn([Plain(3)]).fine_tune(x[:0]), "x: expected at least one row"),
    "NaN": (lambda x: drawn([Plain(3)]).fine_tune(x * np.nan), "x: expected finite numbers"),
    "validation": (lambda x: drawn([Plain(3)]).fine_tune(x, validation=x[:, 1:]), "validation: expected 12 columns"),
    "batch": (
        lambda x: drawn([Plain(3)]).fine_tune(x, TrainingConfig(batch_size=131)),
        "the 130 rows that the deep autoencoder is trained on",
    ),
    "training": (lambda x: drawn([Plain(3)]).fine_tune(x, [CONFIG]), "training: expected a TrainingConfig"),
    "range": (lambda x: drawn([Plain(3, loss="cross_entropy")]).fine_tune(2 * x), "expected targets in"),
    "no columns": (lambda x: StackedAutoencoder([Plain(3)]).draw(0), "n_inputs: expected a whole number"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_fine_tuned_is_refused(rows, name):
    call, message = BAD[name]
    with pytest.raises(StackedError, match=message):
        call(rows)


@pytest.mark.filterwarnings("error")
def test_what_the_layers_above_could_reproduce_does_not_matter(rows):
    """Their own losses play no part: linear codes below a sigmoid output need no scaling here."""
    stack = StackedAutoencoder([Variational(5, hidden=8), Plain(3, loss="cross_entropy")], CONFIG).draw(12)
    assert len(stack.fine_tune(rows, CONFIG).fine_tuning) == CONFIG.epochs
