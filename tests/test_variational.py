"""Variational layers against torch.distributions, NumPy, and a linear decoder whose p(x) is known."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest, multivariate_normal
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from stacked import (
    LBFGS,
    SGD,
    Callback,
    CodeCache,
    FeedforwardClassifier,
    Plain,
    StackedAutoencoder,
    TrainingConfig,
    Variational,
    load_stack,
    save,
)
from stacked.examples import Examples
from stacked.randomness import Seeded
from stacked.streams import Streams
from stacked.training import Training

CONFIG = TrainingConfig(epochs=3, batch_size=20)
OUTPUTS = {"bernoulli": Variational(3, hidden=7), "gaussian": Variational(3, hidden=7, output="linear")}
each_output = pytest.mark.parametrize("settings", OUTPUTS.values(), ids=OUTPUTS)


def drawn(settings, n_inputs=12):
    layer = settings.build(n_inputs, torch.float64)
    layer.draw(Seeded(3).stream("weights"))
    return layer


def trained(settings, rows, config=CONFIG, **options):
    return StackedAutoencoder([settings], config, dtype="float64").fit(rows, **options)


def numpys(layer):
    return {name: value.detach().numpy() for name, value in layer.state_dict().items()}


def by_numpy(layer, x, noise, kl_weight=1.0):
    """The objective, from the weights and the noise alone."""
    w = numpys(layer)
    hidden = np.maximum(x @ w["hidden.weight"].T + w["hidden.bias"], 0)
    mean = hidden @ w["mean.weight"].T + w["mean.bias"]
    log_variance = hidden @ w["log_variance.weight"].T + w["log_variance.bias"]
    codes = mean + np.sqrt(np.exp(log_variance)) * noise
    back = np.maximum(codes @ w["decoder_hidden.weight"].T + w["decoder_hidden.bias"], 0)
    out = back @ w["decoder.weight"].T + w["decoder.bias"]
    if "log_deviation" in w:
        log_p = -(((x - out) / np.exp(w["log_deviation"])) ** 2) / 2 - w["log_deviation"] - np.log(2 * np.pi) / 2
    else:
        log_p = -x * np.logaddexp(0, -out) - (1 - x) * np.logaddexp(0, out)
    kl = (mean**2 + np.exp(log_variance) - 1 - log_variance) / 2
    return np.mean(kl_weight * kl.sum(axis=1) - log_p.sum(axis=1))


# The objective


@each_output
def test_the_objective_is_that_of_numpy_with_the_same_noise(settings, rows):
    layer, x = drawn(settings), torch.from_numpy(rows).double()
    batch = layer.prepare(x, None, Seeded(1).stream("noise"))
    (noise,) = batch.draws
    assert layer.objective(batch).item() == pytest.approx(by_numpy(layer, x.numpy(), noise.numpy()), rel=1e-12)


@each_output
def test_the_objective_is_that_of_distributions_of_torch(settings, rows):
    layer, x = drawn(settings), torch.from_numpy(rows).double().round()
    batch = layer.prepare(x, None, Seeded(1).stream("noise"))
    mean, log_variance = layer.posterior(x)
    posterior = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    prior = Independent(Normal(torch.zeros_like(mean), 1.0), 1)
    logits = layer.decoder_logits(mean + posterior.base_dist.scale * batch.draws[0])
    scale = None if layer.log_deviation is None else layer.log_deviation.exp()
    likelihood = Bernoulli(logits=logits) if scale is None else Normal(logits, scale)
    expected = kl_divergence(posterior, prior) - likelihood.log_prob(x).sum(dim=1)
    torch.testing.assert_close(layer.objective(batch), expected.mean())


def test_codes_for_the_decoder_are_drawn_from_the_posterior(rows):
    """Of one row, many times: each standardised code is standard normal."""
    layer, x = drawn(OUTPUTS["bernoulli"]), torch.from_numpy(rows[:1]).double().expand(20_000, 12)
    (noise,) = layer.prepare(x, None, Seeded(1).stream("noise")).draws
    for column in noise.T:
        assert kstest(column.numpy(), "norm").pvalue > 1e-4


def test_weight_decay_acts_on_all_weights_and_no_bias(rows):
    settings = Variational(3, hidden=7, output="linear", weight_decay=0.4, random_bias=True)
    layer = drawn(settings)
    squares = [np.sum(value**2) for name, value in numpys(layer).items() if name.endswith("weight")]
    assert len(squares) == 5
    assert layer.decay_value().item() == pytest.approx(0.2 * sum(squares), rel=1e-12)


def test_momentum_descent_is_that_of_torch(rows):
    """Over three steps on all rows, with the same noise: gradients of autograd that accumulate into a velocity."""
    config = TrainingConfig(epochs=3, batch_size=None, optimizer=SGD(0.01, momentum=0.9))
    model, reference = drawn(OUTPUTS["gaussian"]), drawn(OUTPUTS["gaussian"])
    _train(model, rows, config)
    descent = torch.optim.SGD(reference.parameters(), lr=0.01, momentum=0.9)
    order, noise = Seeded(0).stream("test", "shuffle"), Seeded(0).stream("test", "noise")
    for _ in range(3):
        x = torch.from_numpy(rows)[order.permutation(130)].double()
        descent.zero_grad()
        reference.objective(reference.prepare(x, None, noise)).backward()
        descent.step()
    torch.testing.assert_close(list(model.parameters()), list(reference.parameters()), rtol=1e-10, atol=1e-12)


def _train(model, rows, config):
    streams = Streams.of(Seeded(0), "test", device=torch.device("cpu"))
    return Training(model, config, streams).fit(Examples.all_of(rows))


def test_the_weight_of_the_divergence_warms_up_step_by_step(rows):
    """At a learning rate of 0 the loss of an epoch tells it: the loss is linear in the weight."""
    config = TrainingConfig(epochs=4, batch_size=None, optimizer=SGD(0.0))
    losses = {}
    for name, options in {"full": {}, "none": {"kl_weight": 0}, "warm": {"warm_up": 2.0, "kl_weight": 0.5}}.items():
        losses[name] = np.array(_train(drawn(Variational(3, hidden=7, **options)), rows, config)["loss"])
    factors = (losses["warm"] - losses["none"]) / (losses["full"] - losses["none"])
    np.testing.assert_allclose(factors, [0, 0.25, 0.5, 0.5], atol=1e-12)


def test_validation_is_by_the_full_weight_while_it_warms_up(rows):
    config = TrainingConfig(epochs=3, batch_size=20, optimizer=SGD(0.0))
    histories = [
        trained(Variational(3, hidden=7, warm_up=w), rows, config, validation=rows[:30]).histories[0] for w in (0, 9)
    ]
    assert histories[0]["validation_loss"] == histories[1]["validation_loss"]
    assert histories[0]["loss"] != histories[1]["loss"]


def test_the_figures_are_those_of_the_posterior(rows):
    stack = trained(OUTPUTS["bernoulli"], rows, validation=rows[:30])
    x, history = torch.from_numpy(rows).double(), stack.histories[0]
    with torch.no_grad():
        mean, log_variance = stack.layers[0].posterior(x)
    divergence = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    assert history["kl"][-1] == pytest.approx(divergence.mean().item(), rel=1e-9)
    assert history["validation_kl"][-1] == pytest.approx(divergence[:30].mean().item(), rel=1e-9)
    assert history["active_codes"][-1] == (mean.numpy().var(axis=0) > 0.01).sum()


def test_the_deviation_that_is_learnt_is_that_of_the_residuals(rows):
    """All else held fast, on one batch, the best deviation is known."""
    model = drawn(OUTPUTS["gaussian"])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name == "log_deviation")
    _train(model, rows, TrainingConfig(epochs=1, batch_size=None, optimizer=LBFGS(iterations=50)))
    order = Seeded(0).stream("test", "shuffle").permutation(130)
    x = torch.from_numpy(rows)[order].double()
    with torch.no_grad():
        mean, log_variance = model.posterior(x)
        (noise,) = model.prepare(x, None, Seeded(0).stream("test", "noise")).draws
        residuals = x - model.decode(mean + (log_variance / 2).exp() * noise)
    assert model.log_deviation.exp().item() == pytest.approx(residuals.square().mean().sqrt().item(), rel=1e-6)


# What is known of a linear decoder


class Linear:
    """A layer that is linear throughout, for its relu units never reach 0: x = W z + c + deviation * noise.

    p(x) is then normal, and so is p(z|x), from which q(z|x) is made to differ by the given factors.
    """

    def __init__(self, spread=1.0, shift=0.0):
        random = np.random.default_rng(5)
        w, c, self.deviation = random.normal(size=(4, 2)), random.normal(size=4), 0.5
        self.covariance, self.mean = w @ w.T + self.deviation**2 * np.eye(4), c
        precision = np.eye(2) + w.T @ w / self.deviation**2
        rotation = np.linalg.eigh(precision)[1]  # of the codes, so that the posterior has no correlations
        w, precision = w @ rotation, rotation.T @ precision @ rotation
        to_mean = np.linalg.inv(precision) @ w.T / self.deviation**2
        self.layer = Variational(2, hidden=4, output="linear").build(4, torch.float64)
        far = 1e3
        self._set("hidden", np.eye(4), np.full(4, far))
        self._set("mean", to_mean, -to_mean @ (np.full(4, far) + c) + shift)
        self._set("log_variance", np.zeros((2, 4)), np.log(spread**2 / np.diag(precision)))
        self._set("decoder_hidden", np.vstack([np.eye(2), np.zeros((2, 2))]), np.full(4, far))
        wide = np.hstack([w, np.zeros((4, 2))])
        self._set("decoder", wide, c - wide @ np.full(4, far))
        with torch.no_grad():
            self.layer.log_deviation.fill_(np.log(self.deviation))

    def _set(self, name, weight, bias):
        dense = getattr(self.layer, name)
        dense.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})

    def draw(self, n, seed=7):
        return np.random.default_rng(seed).multivariate_normal(self.mean, self.covariance, n)

    def log_p(self, x):
        return multivariate_normal(self.mean, self.covariance).logpdf(x)


def test_with_the_true_posterior_one_sample_gives_the_likelihood_and_the_bound_equals_it_on_average():
    linear = Linear()
    x = linear.draw(50)
    np.testing.assert_allclose(linear.layer.log_likelihood(x, n_samples=1), linear.log_p(x), rtol=1e-8)
    many = np.stack([linear.layer.elbo(x, n_samples=100, seed=seed) for seed in range(20)])
    error = many.std(axis=0, ddof=1) / np.sqrt(20)
    assert (np.abs(many.mean(axis=0) - linear.log_p(x)) < 6 * error).all()


def test_with_another_posterior_many_samples_come_to_the_likelihood_and_the_bound_stays_below():
    linear = Linear(spread=1.3, shift=0.1)
    x = linear.draw(50)
    known = linear.log_p(x)
    errors = [np.abs(linear.layer.log_likelihood(x, n_samples=n) - known).mean() for n in (1, 100, 10_000)]
    assert errors[2] < errors[1] / 3 < errors[0] / 9  # ten times smaller with a hundred times the samples
    assert (linear.layer.elbo(x, n_samples=1000) < known).all()


@each_output
def test_the_likelihood_is_above_the_bound_on_average(settings, rows):
    layer = trained(settings, rows).layers[0]
    assert layer.log_likelihood(rows, n_samples=200).mean() > layer.elbo(rows, n_samples=200).mean()


@each_output
def test_the_bound_averages_the_negative_objective(settings, rows):
    layer, x = trained(settings, rows).layers[0], torch.from_numpy(rows).double()
    bound, noise = layer.elbo(rows, n_samples=1000).mean(), Seeded(9).stream("noise")
    with torch.no_grad():
        values = np.array([-layer.objective(layer.prepare(x, None, noise)).item() for _ in range(300)])
    assert abs(values.mean() - bound) < 5 * values.std(ddof=1) * np.sqrt(1 / 300 + 1 / 1000)


def test_rows_drawn_from_a_linear_decoder_have_its_moments():
    linear, n = Linear(), 20_000
    x, noiseless = linear.layer.sample(n, seed=3), linear.covariance - linear.deviation**2 * np.eye(4)
    assert (np.abs(x.mean(axis=0) - linear.mean) < 5 * np.sqrt(np.diag(noiseless) / n)).all()
    centred = x - linear.mean
    products = centred[:, :, None] * centred[:, None, :]
    assert (np.abs(products.mean(axis=0) - noiseless) < 5 * products.std(axis=0) / np.sqrt(n)).all()


@each_output
def test_samples_have_the_shape_and_range_of_rows_and_follow_their_seed(settings, rows):
    layer = trained(settings, rows).layers[0]
    first, again, other = (layer.sample(50, seed=seed) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == ((50, 12), np.float64)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    if settings.output == "sigmoid":
        assert first.min() > 0
        assert first.max() < 1


# In a stack


@pytest.mark.parametrize("below", [True, False], ids=["below", "above"])
def test_it_stacks_with_others_and_a_classifier_takes_both_its_encoder_layers(rows, below, tmp_path):
    layers = [Variational(3, hidden=7), Plain(4, output="linear")]
    layers = layers if below else [Plain(4), Variational(3, hidden=7)]
    cache = CodeCache(tmp_path / "codes")
    stack = StackedAutoencoder(layers, CONFIG, cache=cache).fit(rows)
    assert stack.reconstruct(rows).shape == rows.shape
    classifier = FeedforwardClassifier.from_stack(stack, 3)
    assert classifier.settings.sizes == ((12, 7, 3, 4, 3) if below else (12, 4, 7, 3, 3))
    assert np.array_equal(classifier.hidden(rows), stack.encode(rows))
    loaded = load_stack(save(stack, tmp_path / "model"), cache=cache)
    number = 0 if below else 1
    for name in ("elbo", "log_likelihood"):
        x = rows if below else stack.encode(rows, 1)
        assert np.array_equal(getattr(loaded.layers[number], name)(x), getattr(stack.layers[number], name)(x))
    assert np.array_equal(loaded.layers[number].sample(5), stack.layers[number].sample(5))
    assert np.array_equal(loaded.encode(rows), stack.encode(rows))


def test_early_stopping_restores_the_weights_of_the_best_epoch(rows):
    kept = []

    class Keep(Callback):
        def on_epoch(self, training, record):
            kept.append({name: value.clone() for name, value in training.model.state_dict().items()})

    config = TrainingConfig(epochs=40, batch_size=20, optimizer=SGD(0.02, momentum=0.9), patience=2)
    settings = Variational(3, hidden=7, output="linear", warm_up=3.0)
    stack = trained(settings, rows, config, validation=rows[:30], callbacks=[Keep()])
    best = int(np.argmin(stack.histories[0]["validation_loss"]))
    assert len(kept) == min(40, best + 3)
    state = stack.layers[0].state_dict()
    assert all(torch.equal(value, kept[best][name]) for name, value in state.items())
