"""Bad input at the public entries: a StackedError that says what, expected, received and the remedy; no work."""

import re
import warnings

import numpy as np
import pytest
import torch

from stacked import (
    LBFGS,
    SGD,
    Adam,
    ClassifierSettings,
    CodeCache,
    Contractive,
    CosineDecay,
    Denoising,
    EarlyStopping,
    ExponentialDecay,
    FeedforwardClassifier,
    Gaussian,
    KLSparsity,
    L1Sparsity,
    Masking,
    Plain,
    SaltAndPepper,
    Sparse,
    StackedAutoencoder,
    StackedError,
    StackedWarning,
    TopK,
    TrainingConfig,
    Variational,
)

X = np.random.default_rng(0).random((40, 6), dtype=np.float32)
LABELS = np.arange(40) % 3
ONE_EPOCH = TrainingConfig(epochs=1, batch_size=10)


def changed(value, index=(17, 3)):
    x = X.copy()
    x[index] = value
    return x


def stack(*layers, **options):
    return StackedAutoencoder(layers or [Plain(4)], options.pop("training", ONE_EPOCH), **options)


def fitted():
    return stack().fit(X)


def variational():
    return stack(Variational(2, hidden=3)).fit(X).layers[0]


def classifier():
    return FeedforwardClassifier((6, 4, 3))


ROWS = {
    "NaN": (
        changed(np.nan),
        "x: expected finite numbers, received nan in row 17, column 3; remove or fill",
    ),
    "infinity": (
        changed(-np.inf),
        "x: expected finite numbers, received -inf in row 17, column 3; remove or fill",
    ),
    "one dimension": (X[0], r"x: expected a table of shape (n, n_inputs), received shape (6,); make one row"),
    "three dimensions": (
        X.reshape(40, 2, 3),
        "x: expected a table of shape (n, n_inputs), received shape (40, 2, 3)",
    ),
    "no rows": (X[:0], "x: expected at least one row and one column, received shape (0, 6)"),
    "no columns": (X[:, :0], "x: expected at least one row and one column, received shape (40, 0)"),
    "text": (X.astype(str), "x: expected numbers, received dtype <U"),
    "complex": (X.astype(complex), "x: expected numbers, received dtype complex128; convert it"),
    "objects": (X.astype(object), "x: expected numbers, received dtype object; convert it"),
    "ragged": ([[1.0, 2.0], [3.0]], "x: expected a table of numbers, received list"),
    "a path": ("rows.csv", "x: expected a table of numbers, received str; pass an array: open a file first"),
    "nothing": (None, "x: expected a table of numbers, received NoneType; pass an array"),
    "fewer rows than a batch": (
        X[:9],
        "batch_size: expected at most the 9 rows that layer 1 is trained on, received 10",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_to_pretrain_on(name):
    x, message = ROWS[name]
    untrained = stack()
    with pytest.raises(StackedError, match=re.escape(message)):
        untrained.fit(x)
    assert untrained.layers == []


PIXELS = (X * 255).astype(np.uint8)
RANGES = {
    "integers on sigmoid output": (
        [Plain(4)],
        PIXELS,
        "layer 1 (squared_error on sigmoid output): expected targets in",
    ),
    "cross-entropy above 1": ([Plain(4, loss="cross_entropy")], 3 * X, "received rows from 0.00"),
    "cross-entropy below 0": (
        [Plain(4, loss="cross_entropy")],
        X - 0.5,
        "expected targets in [0, 1], received rows from -0",
    ),
    "cross-entropy on relu codes": (
        [Plain(4, activation="relu"), Plain(3, loss="cross_entropy")],
        X,
        "layer 2 (cross_entropy on sigmoid output): expected targets in [0, 1], received the relu codes of layer 1 "
        "from 0 to inf; set output='linear' in layer 2, or activation='sigmoid' in layer 1",
    ),
    "Bernoulli outputs on variational codes": (
        [Variational(4), Variational(3)],
        X,
        "received the linear codes of layer 1 from -inf to inf; set output='linear' in layer 2",
    ),
    "Bernoulli outputs above 1": ([Variational(4)], 3 * X, "layer 1 (cross_entropy on sigmoid output): expected"),
    "cross-entropy on tanh codes": ([Plain(4, activation="tanh"), Plain(3, loss="cross_entropy")], X, "from -1 to 1"),
}


@pytest.mark.parametrize("name", RANGES)
def test_rows_outside_the_range_of_a_loss(name):
    layers, x, message = RANGES[name]
    with pytest.raises(StackedError, match=re.escape(message)):
        stack(*layers).fit(x)


def test_validation_rows_outside_the_range_of_a_loss():
    with pytest.raises(StackedError, match="expected targets in"):
        stack(Plain(4, loss="cross_entropy")).fit(X, validation=2 * X)


@pytest.mark.parametrize("layers", [[Plain(4)], [Plain(4, activation="tanh"), Plain(3)]])
def test_reals_that_a_sigmoid_cannot_reach_are_warned_about(layers):
    with pytest.warns(StackedWarning, match=r"expected targets in \[0, 1\].*output='linear'"):
        stack(*layers).fit(3 * X if len(layers) == 1 else X)


def test_no_other_activation_is_advised_for_codes_that_are_always_linear():
    with pytest.warns(StackedWarning, match="set output='linear' in layer 2$"):
        stack(Variational(4, activation="relu"), Plain(3)).fit(X)


def test_linear_output_takes_any_range():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stack(Plain(4, output="linear")).fit(100 * X)
        stack(Plain(4, output="linear")).fit(PIXELS)


CALLS = {
    "encode before fit": (lambda: stack().encode(X), "expected a trained one, received one without layers; call fit"),
    "reconstruct before fit": (lambda: stack().reconstruct(X), "call fit(x) first"),
    "encode another width": (lambda: fitted().encode(X[:, :5]), "x: expected 6 columns, received 5; pass rows with"),
    "encode NaN": (
        lambda: fitted().encode(changed(np.nan)),
        "x: expected finite numbers, received nan in row 17",
    ),
    "decode another width": (lambda: fitted().decode(X), "codes: expected 4 columns, received 6"),
    "depth 0": (lambda: fitted().encode(X, 0), "depth: expected a whole number of at least 1, received 0"),
    "depth beyond the top": (
        lambda: fitted().encode(X, 2),
        "depth: expected at most 1, the layers there are, received 2",
    ),
    "validation width": (lambda: stack().fit(X, validation=X[:, :5]), "validation: expected 6 columns, received 5"),
    "validation NaN": (
        lambda: stack().fit(X, validation=changed(np.nan)),
        "validation: expected finite numbers",
    ),
    "no layers": (
        lambda: StackedAutoencoder([]),
        "layers: expected a list of layers (Plain, Denoising, Sparse, Contractive, Variational), received []",
    ),
    "a number as layer": (lambda: StackedAutoencoder([100]), "layers: expected a list of layers (Plain,"),
    "two trainings for one layer": (
        lambda: stack(training=[ONE_EPOCH] * 2),
        "training: expected one TrainingConfig, or 1",
    ),
    "no training config": (lambda: stack(training={"epochs": 3}), "training: expected one TrainingConfig"),
    "negative seed": (lambda: stack(seed=-1), "seed: expected a whole number of at least 0, received -1"),
    "seed text": (lambda: stack(seed="a"), "seed: expected a whole number of at least 0, received 'a'"),
    "dtype": (lambda: stack(dtype="float16"), "dtype: expected one of 'float32', 'float64', received 'float16'"),
    "device name": (
        lambda: stack(device="gpu"),
        "device: expected 'cpu', 'cuda' or 'mps', received 'gpu'; use 'cpu'",
    ),
    "units": (lambda: Plain(0), "n_units: expected a whole number of at least 1, received 0; set n_units"),
    "units real": (lambda: Plain(10.5), "n_units: expected a whole number of at least 1, received 10.5"),
    "units bool": (lambda: Plain(True), "n_units: expected a whole number of at least 1, received True"),
    "activation": (lambda: Plain(4, activation="gelu"), "activation: expected one of 'sigmoid', 'relu', 'tanh'"),
    "output": (lambda: Plain(4, output="relu"), "output: expected one of 'sigmoid', 'linear', received 'relu'"),
    "loss": (lambda: Plain(4, loss="mse"), "loss: expected one of 'squared_error', 'cross_entropy', received 'mse'"),
    "linear cross-entropy": (
        lambda: Plain(4, output="linear", loss="cross_entropy"),
        "loss: expected 'squared_error'",
    ),
    "weight decay": (lambda: Plain(4, weight_decay=-1), "weight_decay: expected a number of at least 0, received -1"),
    "weight decay NaN": (
        lambda: Plain(4, weight_decay=np.nan),
        "weight_decay: expected a number of at least 0, received nan",
    ),
    "masking": (lambda: Masking(1.5), "fraction: expected a number from 0 to 1, received 1.5"),
    "masking text": (lambda: Masking("0.5"), "fraction: expected a number from 0 to 1, received '0.5'"),
    "gaussian": (lambda: Gaussian(-0.1), "standard_deviation: expected a number of at least 0"),
    "salt": (lambda: SaltAndPepper(0.1, low=1, high=0), "low, high: expected low < high, received 1 and 0; swap"),
    "corruption number": (
        lambda: Denoising(4, corruption=0.5),
        "corruption: expected Masking, Gaussian or SaltAndPepper",
    ),
    "penalty number": (
        lambda: Sparse(4, penalty=0.1),
        "penalty: expected KLSparsity, L1Sparsity or TopK, received 0.1",
    ),
    "KL on relu": (lambda: Sparse(4, activation="relu"), "activation: expected 'sigmoid' under KLSparsity"),
    "KL target": (lambda: KLSparsity(1.0, target=1.0), "KLSparsity: expected a target strictly between 0 and 1"),
    "KL memory": (lambda: KLSparsity(1.0, memory=1.0), "KLSparsity: expected a target strictly between 0 and 1"),
    "L1 weight": (lambda: L1Sparsity(-1), "weight: expected a number of at least 0, received -1"),
    "KL memory infinite": (lambda: KLSparsity(1.0, memory=np.inf), "memory: expected a number from 0 to 1"),
    "contractive weight": (lambda: Contractive(4, weight=-0.1), "weight: expected a number of at least 0"),
    "contractive relu": (lambda: Contractive(4, activation="relu"), "received 'relu'; "),
    "contractive NaN": (
        lambda: Contractive(4, weight=np.nan),
        "weight: expected a number of at least 0, received nan",
    ),
    "unit norm": (lambda: Sparse(4, unit_norm=1), "unit_norm: expected True or False, received 1"),
    "revive": (lambda: Sparse(4, penalty=TopK(2), revive="yes"), "revive: expected True or False, received 'yes'"),
    "revive sigmoid": (lambda: Sparse(4, revive=True), "revive: expected relu codes or TopK"),
    "k": (lambda: TopK(0), "k: expected a whole number of at least 1, received 0"),
    "k real": (lambda: TopK(2.0), "k: expected a whole number of at least 1, received 2.0"),
    "k above the units": (
        lambda: Sparse(4, penalty=TopK(5)),
        "k: expected at most the 4 units there are, received 5",
    ),
    "initial k above the units": (
        lambda: Sparse(4, penalty=TopK(2, initial_k=6, annealing=1)),
        "k: expected at most the 4 units there are, received 6",
    ),
    "initial k below k": (
        lambda: TopK(3, initial_k=2, annealing=1),
        "initial_k: expected a whole number of at least 3, received 2",
    ),
    "initial k without annealing": (lambda: TopK(3, initial_k=5), "TopK: expected both or neither of them"),
    "annealing without initial k": (lambda: TopK(3, annealing=2), "TopK: expected both or neither of them"),
    "annealing": (
        lambda: TopK(3, 5, annealing=-1),
        "annealing: expected a number of at least 0, received -1",
    ),
    "annealing NaN": (lambda: TopK(3, 5, annealing=np.nan), "annealing: expected a number of at least 0"),
    "top-k of tanh": (
        lambda: Sparse(4, "tanh", penalty=TopK(2)),
        "expected one of 'sigmoid', 'relu', received 'tanh'",
    ),
    "hidden": (lambda: Variational(4, hidden=0), "hidden: expected a whole number of at least 1, received 0"),
    "hidden activation": (lambda: Variational(4, activation="gelu"), "activation: expected one of 'sigmoid'"),
    "variational output": (lambda: Variational(4, output="tanh"), "output: expected one of 'sigmoid', 'linear'"),
    "KL weight": (lambda: Variational(4, kl_weight=-1), "kl_weight: expected a number of at least 0, received -1"),
    "warm-up": (lambda: Variational(4, warm_up=np.inf), "warm_up: expected a number of at least 0, received inf"),
    "warm-up text": (lambda: Variational(4, warm_up="3"), "warm_up: expected a number of at least 0, received '3'"),
    "samples": (lambda: variational().sample(0), "n: expected a whole number of at least 1, received 0"),
    "sample seed": (lambda: variational().sample(2, seed=-1), "seed: expected a whole number of at least 0"),
    "bound of another width": (lambda: variational().elbo(X[:, :5]), "x: expected 6 columns, received 5"),
    "bound of NaN": (
        lambda: variational().elbo(changed(np.nan)),
        "x: expected finite numbers, received nan in row 17",
    ),
    "bound of pixels": (
        lambda: variational().elbo(PIXELS),
        "x: expected rows in [0, 1], for outputs are Bernoulli, received rows from 0 to 254; scale them",
    ),
    "likelihood below 0": (lambda: variational().log_likelihood(X - 0.5), "x: expected rows in [0, 1]"),
    "bound of no samples": (lambda: variational().elbo(X, n_samples=0), "n_samples: expected a whole number"),
    "likelihood of no rows": (lambda: variational().log_likelihood(X[:0]), "x: expected at least one row"),
    "likelihood of no samples": (
        lambda: variational().log_likelihood(X, n_samples=1.5),
        "n_samples: expected a whole",
    ),
    "epochs": (lambda: TrainingConfig(epochs=-1), "epochs: expected a whole number of at least 0, received -1"),
    "batch size": (
        lambda: TrainingConfig(batch_size=0),
        "batch_size: expected a whole number of at least 1, received 0",
    ),
    "optimizer name": (
        lambda: TrainingConfig(optimizer="adam"),
        "optimizer: expected SGD, Adam or LBFGS, received 'adam'",
    ),
    "schedule name": (
        lambda: TrainingConfig(schedule="cosine"),
        "schedule: expected ExponentialDecay or CosineDecay",
    ),
    "validation share": (
        lambda: TrainingConfig(validation_fraction=1),
        "validation_fraction: expected a number from 0",
    ),
    "patience": (lambda: TrainingConfig(patience=0), "patience: expected a whole number of at least 1, received 0"),
    "early stopping": (lambda: EarlyStopping(0), "patience: expected a whole number of at least 1, received 0"),
    "learning rate": (lambda: SGD(-1), "learning_rate: expected a number of at least 0, received -1"),
    "learning rate infinite": (lambda: Adam(np.inf), "learning_rate: expected a number of at least 0, received inf"),
    "momentum": (lambda: SGD(0.1, momentum=1), "momentum: expected less than 1, received 1; set for instance 0.9"),
    "iterations": (lambda: LBFGS(iterations=0), "iterations: expected a whole number of at least 1, received 0"),
    "decay factor": (lambda: ExponentialDecay(2), "factor: expected a number from 0 to 1, received 2"),
    "cosine": (lambda: CosineDecay(-1), "final: expected a number from 0 to 1, received -1"),
    "cache size": (
        lambda: CodeCache("x", max_bytes=0),
        "max_bytes: expected a whole number of at least 1, received 0",
    ),
    "sizes": (
        lambda: FeedforwardClassifier((6,)),
        "sizes: expected inputs, hidden layers and classes, received (6,)",
    ),
    "zero size": (
        lambda: FeedforwardClassifier((6, 0, 3)),
        "sizes: expected a whole number of at least 1, received 0",
    ),
    "one class": (
        lambda: FeedforwardClassifier((6, 4, 1)),
        "sizes[-1] (classes): expected a whole number of at least 2",
    ),
    "class output": (
        lambda: ClassifierSettings((6, 3), output="relu"),
        "output: expected one of 'softmax', 'sigmoid'",
    ),
    "dropout": (
        lambda: ClassifierSettings((6, 3), dropout=1.0),
        "dropout: expected a number from 0 to 0.99, received 1",
    ),
    "activations": (
        lambda: ClassifierSettings((6, 4, 3), ("relu",) * 2),
        "activations: expected 1, one a hidden layer",
    ),
    "labels missing": (
        lambda: classifier().fit(X, LABELS[:30]),
        "labels: expected shape (40,), received shape (30,)",
    ),
    "labels table": (
        lambda: classifier().fit(X, np.eye(3)[LABELS]),
        "labels: expected shape (40,), received shape (40, 3)",
    ),
    "labels text": (lambda: classifier().fit(X, LABELS.astype(str)), "labels: expected whole numbers, received <U"),
    "labels real": (lambda: classifier().fit(X, LABELS + 0.5), "labels: expected whole numbers, received float64"),
    "labels NaN": (lambda: classifier().fit(X, LABELS * np.nan), "labels: expected whole numbers, received float64"),
    "labels too large": (
        lambda: classifier().fit(X, LABELS + 1),
        "labels: expected labels from 0 to 2, received values",
    ),
    "labels negative": (
        lambda: classifier().fit(X, LABELS - 1),
        "labels: expected labels from 0 to 2, received values",
    ),
    "labels of one class": (
        lambda: classifier().fit(X, LABELS * 0),
        "labels: expected at least two classes, received class 0",
    ),
    "classifier width": (lambda: classifier().fit(X[:, :5], LABELS), "x: expected 6 columns, received 5"),
    "classifier NaN": (
        lambda: classifier().predict(changed(np.nan)),
        "x: expected finite numbers, received nan in row",
    ),
    "classifier batch": (
        lambda: classifier().fit(X, LABELS, TrainingConfig(batch_size=41)),
        "batch_size: expected at most the 40 rows that the classifier is trained on, received 41; lower batch_size",
    ),
    "validation labels": (
        lambda: classifier().fit(X, LABELS, ONE_EPOCH, validation=(X, LABELS[:3])),
        "validation labels: expected shape (40,), received shape (3,)",
    ),
    "untrained stack": (lambda: FeedforwardClassifier.from_stack(stack(), 3), "call fit(x) first"),
    "transfer of an untrained stack": (
        lambda: classifier().transfer(stack()),
        "call fit(x) first",
    ),
    "transfer of another size": (
        lambda: FeedforwardClassifier((6, 5, 3)).transfer(fitted()),
        "encoder layer 1 of the stack: expected (5, 6) sigmoid, received (4, 6) sigmoid; make the classifier with",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name):
    call, message = CALLS[name]
    with pytest.raises(StackedError, match=re.escape(message)):
        call()


def test_every_message_is_one_sentence_with_a_remedy():
    for call, _ in CALLS.values():
        with pytest.raises(StackedError) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert "; " in str(caught.value)


def test_the_error_is_a_value_error():
    with pytest.raises(ValueError, match="n_units"):
        Plain(-3)


def test_a_device_that_is_not_here_is_named():
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    absent = next(name for name, there in here.items() if not there)  # no machine has both
    with pytest.raises(
        StackedError, match=rf"device: expected one that torch finds here \('cpu'.*received '{absent}'"
    ):
        stack(device=absent)
