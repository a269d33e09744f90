"""The classifier: what it learns, predicts and freezes."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from stacked import (
    LBFGS,
    Adam,
    Callback,
    ClassifierSettings,
    Contractive,
    Denoising,
    FeedforwardClassifier,
    Masking,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TopK,
    TrainingConfig,
    Variational,
    load_classifier,
    save,
)
from stacked.dense import Dense
from stacked.randomness import Seeded

CONFIG = TrainingConfig(epochs=20, batch_size=50, optimizer=Adam(0.01))


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    x, y = (data.data / 16).astype(np.float32), data.target
    return x[:1300], y[:1300], x[1300:], y[1300:]


@pytest.fixture(scope="module")
def stack(digits):
    layers = [Denoising(40, corruption=Masking(0.2)), Denoising(20, corruption=Masking(0.2))]
    return StackedAutoencoder(layers, CONFIG).fit(digits[0])


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("pretrained", [True, False])
def test_it_learns_digits(digits, stack, output, pretrained):
    x, y, x_test, y_test = digits
    if pretrained:
        classifier = FeedforwardClassifier.from_stack(stack, 10, output=output)
    else:
        classifier = FeedforwardClassifier(ClassifierSettings((64, 40, 20, 10), output=output))
    classifier.fit(x, y, CONFIG)
    linear = LogisticRegression(max_iter=1000).fit(x, y)
    assert classifier.error_rate(x_test, y_test) < 1 - linear.score(x_test, y_test) + 0.03


def test_without_hidden_layers_it_is_logistic_regression(digits):
    x, y, *_ = digits
    settings = ClassifierSettings((64, 10), weight_decay=0.01)
    config = TrainingConfig(epochs=50, batch_size=None, optimizer=LBFGS())
    ours = FeedforwardClassifier(settings, dtype="float64").fit(x, y, config)
    theirs = LogisticRegression(C=1 / (0.01 * len(x)), tol=1e-8, max_iter=5000).fit(x.astype(float), y)

    def objective(weights, bias):
        logits = x.astype(float) @ weights.T + bias
        log_likelihood = (logits - logsumexp(logits, axis=1, keepdims=True))[np.arange(len(x)), y].mean()
        return 0.005 * np.sum(weights**2) - log_likelihood

    (layer,) = ours.layers
    mine = objective(layer.weight.detach().numpy(), layer.bias.detach().numpy())
    # The objective is convex: both have found its minimum if they reach the same value.
    assert mine == pytest.approx(objective(theirs.coef_, theirs.intercept_), rel=1e-6)


def test_predictions_agree_with_each_other(digits, stack):
    x, y, *_ = digits
    for output in ("softmax", "sigmoid"):
        classifier = FeedforwardClassifier.from_stack(stack, 10, output=output).fit(x, y, TrainingConfig(epochs=1))
        probabilities, predicted = classifier.predict_proba(x), classifier.predict(x)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        assert probabilities.min() >= 0
        assert np.array_equal(probabilities.argmax(axis=1), predicted)
        assert classifier.error_rate(x, y) == np.mean(predicted != y)


def test_a_frozen_encoder_stays_and_is_computed_once(digits, stack, monkeypatch):
    x, y, *_ = digits
    frozen = FeedforwardClassifier.from_stack(stack, 10, freeze=True)
    before = [parameter.clone() for layer in frozen.layers for parameter in layer.parameters()]
    computed, forward = [], Dense.forward
    monkeypatch.setattr(Dense, "forward", lambda self, rows: computed.append(len(rows)) or forward(self, rows))
    frozen.fit(x, y, TrainingConfig(epochs=7, batch_size=50))
    assert sum(computed) == 2 * len(x)
    after = [parameter for layer in frozen.layers for parameter in layer.parameters()]
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True] * 4 + [False] * 2


def test_the_codes_of_a_frozen_encoder_lie_in_a_file_while_it_is_trained(digits, stack, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    x, y, *_ = digits

    class Look(Callback):
        def on_epoch(self, training, record):
            (file,) = tmp_path.rglob("*.h5")
            assert file.stat().st_size > len(x) * 20 * 4

    FeedforwardClassifier.from_stack(stack, 10, freeze=True).fit(x, y, CONFIG, callbacks=[Look()])
    assert list(tmp_path.iterdir()) == []


def test_a_frozen_encoder_is_a_linear_classifier_on_the_codes(digits, stack):
    x, y, *_ = digits
    frozen = FeedforwardClassifier.from_stack(stack, 10, freeze=True, seed=2).fit(x, y, CONFIG)
    head = FeedforwardClassifier((20, 10), seed=_SameHead(frozen)).fit(stack.encode(x), y, CONFIG)
    assert torch.equal(frozen.layers[-1].weight, head.layers[-1].weight)


class _SameHead(Seeded):
    """The streams of seed 2; the output layer starts where another classifier of that seed has it."""

    def __init__(self, other):
        super().__init__(2)
        self._other = FeedforwardClassifier(other.settings, seed=2).layers[-1]

    def stream(self, *purpose, device="cpu"):
        stream = super().stream(*purpose, device=device)
        if purpose[-1] == "weights":
            stream.uniform_ = lambda out, low, high: out.copy_(self._other.weight)
        return stream


def test_dropout_only_acts_in_training(digits):
    x, y, *_ = digits
    plain, dropped = (
        FeedforwardClassifier(ClassifierSettings((64, 30, 10), dropout=p)).fit(x, y, TrainingConfig(epochs=n))
        for p, n in ((0.0, 2), (0.5, 2))
    )
    assert not torch.equal(plain.layers[0].weight, dropped.layers[0].weight)
    assert np.array_equal(dropped.outputs(x), dropped.outputs(x))
    hidden = torch.sigmoid(torch.from_numpy(x) @ dropped.layers[0].weight.T + dropped.layers[0].bias)
    np.testing.assert_allclose(dropped.hidden(x), hidden.detach(), rtol=1e-4, atol=1e-6)


def test_dropout_keeps_the_expected_input_of_the_next_layer():
    network = FeedforwardClassifier(ClassifierSettings((5, 400, 2), dropout=0.3)).network(above=0)
    batch = network.prepare(
        torch.full((500, 5), 0.5), torch.zeros(500, dtype=torch.int64), Seeded(0).stream("dropout")
    )
    (mask,) = batch.draws
    values = mask.unique().tolist()
    assert values == pytest.approx([0.0, 1 / 0.7])
    standard_error = mask.std().item() / mask.numel() ** 0.5
    assert abs(mask.mean().item() - 1) < 5 * standard_error


def test_fitting_again_goes_on_from_where_it_stood(digits):
    x, y, *_ = digits
    classifier = FeedforwardClassifier((64, 20, 10)).fit(x, y, TrainingConfig(epochs=3))
    first = classifier.history["loss"][-1]
    assert classifier.fit(x, y, TrainingConfig(epochs=1)).history["loss"][0] < first


def test_dropout_acts_on_the_codes_of_a_frozen_encoder(digits, stack):
    x, y, *_ = digits
    heads = [
        FeedforwardClassifier.from_stack(stack, 10, freeze=True, dropout=dropout).fit(x, y, TrainingConfig(epochs=1))
        for dropout in (0.0, 0.5)
    ]
    assert not torch.equal(heads[0].layers[-1].weight, heads[1].layers[-1].weight)


def test_sigmoid_outputs_that_all_vanish_share_the_probability_equally():
    classifier = FeedforwardClassifier(ClassifierSettings((3, 4), output="sigmoid"))
    with torch.no_grad():
        classifier.layers[0].bias.fill_(-1e6)
    assert np.array_equal(classifier.predict_proba(np.ones((2, 3))), np.full((2, 4), 0.25))


def test_a_transfer_that_does_not_fit_changes_nothing(digits, stack):
    other = FeedforwardClassifier((64, 40, 30, 10))
    before = other.outputs(digits[0])
    with pytest.raises(StackedError, match="layer 2 of the stack"):
        other.transfer(stack)
    assert np.array_equal(other.outputs(digits[0]), before)


KINDS_ABOVE_EACH_OTHER = {
    "variational": ([Variational(20, hidden=40)], (64, 40, 20, 10), ("relu", "linear")),
    "variational above": (
        [Denoising(40), Variational(20, hidden=30, activation="tanh")],
        (64, 40, 30, 20, 10),
        ("sigmoid", "tanh", "linear"),
    ),
    "top-k": ([Sparse(40, "relu", penalty=TopK(9, 20, 1.0))], (64, 40, 10), ("relu_top_9",)),
    "contractive": ([Contractive(40, tied=True, activation="scaled_tanh")], (64, 40, 10), ("scaled_tanh",)),
}


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("kind", KINDS_ABOVE_EACH_OTHER)
def test_every_encoder_layer_is_taken_over_trained_and_saved(digits, kind, freeze, tmp_path):
    x, y, *_ = digits
    layers, sizes, activations = KINDS_ABOVE_EACH_OTHER[kind]
    stack = StackedAutoencoder(layers, TrainingConfig(epochs=2)).fit(x)
    classifier = FeedforwardClassifier.from_stack(stack, 10, freeze=freeze)
    assert (classifier.settings.sizes, classifier.settings.activations) == (sizes, activations)
    assert classifier.n_frozen == (len(sizes) - 2 if freeze else 0)
    codes = stack.encode(x)
    assert np.array_equal(classifier.hidden(x), codes)
    classifier.fit(x, y, TrainingConfig(epochs=3, optimizer=Adam(0.01)))
    assert np.array_equal(classifier.hidden(x), codes) == freeze
    assert np.array_equal(stack.encode(x), codes)
    loaded = load_classifier(save(classifier, tmp_path))
    assert np.array_equal(loaded.outputs(x), classifier.outputs(x))
    assert (loaded.settings, loaded.n_frozen) == (classifier.settings, classifier.n_frozen)


def test_a_fine_tuned_top_k_layer_keeps_k_units_a_row(digits):
    x, y, *_ = digits
    stack = StackedAutoencoder([Sparse(40, penalty=TopK(9))], TrainingConfig(epochs=1)).fit(x)
    classifier = FeedforwardClassifier.from_stack(stack, 10).fit(x, y, TrainingConfig(epochs=2))
    assert ((classifier.hidden(x) != 0).sum(axis=1) == 9).all()


def test_a_top_k_layer_goes_into_no_layer_without(digits):
    stack = StackedAutoencoder([Sparse(40, penalty=TopK(9))], TrainingConfig(epochs=0)).fit(digits[0])
    with pytest.raises(StackedError, match=r"expected \(40, 64\) sigmoid, received \(40, 64\) sigmoid_top_9"):
        FeedforwardClassifier((64, 40, 10)).transfer(stack)
