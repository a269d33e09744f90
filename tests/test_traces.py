"""Recorded steps of the real DeepLearnToolbox, replayed through the library's layers, classifier and optimiser.

Where no trace was recorded (other activations and outputs, weight decay), a NumPy version stands in, which is first
held against the traces itself.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import Toolbox, forward

from stacked import SGD, ClassifierSettings, FeedforwardClassifier, KLSparsity, Plain, Sparse
from stacked.model import Batch

DATA = Path(__file__).parent / "data"
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
TRACES = ("trace_dae", "trace_sparse", "trace_classifier")


def load(name):
    with np.load(DATA / f"{name}.npz") as stored:
        return dict(stored)


def initial(trace):
    return [trace[f"W{k}_init"] for k in range(1, len(trace["sizes"]))]


def put(dense, matrix):
    """Load a toolbox matrix, bias first, into a dense layer."""
    with torch.no_grad():
        dense.bias.copy_(torch.from_numpy(matrix[:, 0]))
        dense.weight.copy_(torch.from_numpy(matrix[:, 1:]))


def got(dense):
    return torch.cat([dense.bias[:, None], dense.weight], dim=1).detach().double().numpy()


def as_model(sizes, weights, dtype, *, sparsity=None, p0=0.0, activation="sigmoid", output="sigm", l2=0.0):
    """The library's model of a toolbox network, and its dense layers: three sizes with equal ends are a layer."""
    if len(sizes) == 3 and sizes[0] == sizes[2]:
        common = {
            "activation": activation,
            "output": "sigmoid" if output == "sigm" else "linear",
            "weight_decay": l2,
        }
        settings = Plain(sizes[1], **common)
        if sparsity:
            penalty = KLSparsity(sparsity[0], target=sparsity[1], memory=0.99, initial_mean=p0)
            settings = Sparse(sizes[1], penalty=penalty, **common)
        model = settings.build(sizes[0], getattr(torch, dtype))
        denses = [model.encoder, model.decoder]
    else:
        kind = "sigmoid" if output == "sigm" else "softmax"
        made = ClassifierSettings(sizes, (activation,) * (len(sizes) - 2), output=kind, weight_decay=l2)
        classifier = FeedforwardClassifier(made, dtype=dtype)
        model, denses = classifier.network(above=0), classifier.layers
    for dense, matrix in zip(denses, weights, strict=True):
        put(dense, matrix)
    return model, denses


def replay(model, denses, steps, lr, momentum, dtype):
    """Loss and weights after each step of the library's optimiser."""
    optimizer = SGD(lr, momentum=momentum).build(model.trainable())
    for x, y in steps:
        batch = Batch(*(torch.from_numpy(np.ascontiguousarray(a)).to(getattr(torch, dtype)) for a in (x, y)))
        with torch.no_grad():
            value = optimizer.step(lambda how, batch=batch: model.accumulate_gradients(batch, how), 1.0)
        yield float(value), [got(dense) for dense in denses]


def sparsity_of(trace):
    weight = float(trace["sparsity_weight"])
    return (weight, float(trace["sparsity_target"])) if weight else None


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", TRACES)
def test_every_weight_follows_the_recorded_trace(name, dtype):
    trace = load(name)
    sizes, steps = tuple(int(n) for n in trace["sizes"]), zip(trace["x"] * trace["masks"], trace["y"], strict=True)
    p0 = float(trace.get("p0", 0.0))
    l2 = float(trace["l2"])
    model, denses = as_model(sizes, initial(trace), dtype, sparsity=sparsity_of(trace), p0=p0, l2=l2)
    replayed = list(replay(model, denses, steps, float(trace["lr"]), float(trace["momentum"]), dtype))
    assert len(replayed) == 6
    for step, (value, weights) in enumerate(replayed, start=1):
        if not sparsity_of(trace):  # the toolbox's loss leaves the penalty out
            assert value == pytest.approx(trace["loss"][step - 1], abs=10 * TOLERANCE[dtype])
        for k, matrix in enumerate(weights, start=1):
            np.testing.assert_allclose(matrix, trace[f"W{k}_step{step}"], rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("name", TRACES)
def test_clean_codes_and_outputs_follow_the_trace(name):
    trace = load(name)
    sizes, final = (
        tuple(int(n) for n in trace["sizes"]),
        [trace[f"W{k}_step6"] for k in range(1, len(trace["sizes"]))],
    )
    model, denses = as_model(sizes, final, "float64", sparsity=sparsity_of(trace))
    x = torch.from_numpy(trace["x"][0])
    with torch.no_grad():
        codes = denses[0](x)
        outputs = model.decode(codes) if len(denses) == 2 else model.head.output.values(model.logits(x))
    np.testing.assert_allclose(codes, trace["clean_code"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(outputs, trace["clean_output"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", TRACES)
def test_the_numpy_reference_follows_the_trace(name):
    trace = load(name)
    reference = Toolbox(
        initial(trace),
        lr=float(trace["lr"]),
        momentum=float(trace["momentum"]),
        sparsity=sparsity_of(trace),
        p0=float(trace.get("p0", 0.0)),
    )
    for step in range(6):
        value = reference.step(trace["x"][step] * trace["masks"][step], trace["y"][step])
        assert value == pytest.approx(trace["loss"][step], abs=1e-12)
        for k, weights in enumerate(reference.weights, start=1):
            np.testing.assert_allclose(weights, trace[f"W{k}_step{step + 1}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", ["sigmoid", "scaled_tanh"])
@pytest.mark.parametrize(
    ("sizes", "output"),
    [
        ((9, 5, 9), "sigm"),
        ((9, 5, 9), "linear"),
        ((9, 6, 5, 3), "sigm"),
        ((9, 6, 5, 3), "softmax"),
        ((9, 3), "softmax"),
    ],
)
def test_other_networks_follow_the_numpy_reference(sizes, output, activation, dtype):
    random = np.random.default_rng(1)
    weights = [random.normal(0, 0.3, (n, 1 + m)) for m, n in pairwise(sizes)]
    x = random.random((6, 10, sizes[0]))
    classes = np.eye(sizes[-1])[random.integers(sizes[-1], size=(6, 10))]
    y = x if sizes[0] == sizes[-1] else classes
    reference = Toolbox(weights, lr=0.1, momentum=0.5, l2=0.01, activation=activation, output=output)
    model, denses = as_model(sizes, weights, dtype, activation=activation, output=output, l2=0.01)
    replayed = replay(model, denses, zip(x, y, strict=True), 0.1, 0.5, dtype)
    for step, (_, ours) in enumerate(replayed):
        reference.step(x[step], y[step])
        for mine, theirs in zip(ours, reference.weights, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    outputs = forward(reference.weights, x[0], activation, output)[-1]
    with torch.no_grad():
        start = torch.from_numpy(x[0]).to(getattr(torch, dtype))
        mine = model.decode(model.encode(start)) if y is x else model.head.output.values(model.logits(start))
    np.testing.assert_allclose(mine, outputs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
