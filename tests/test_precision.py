"""Reduced precision: what is rounded, against NumPy in float64, and what must not be."""

import numpy as np
import pytest
import torch
from conftest import KINDS

from stacked import (
    LBFGS,
    SGD,
    Callback,
    Denoising,
    DivergedError,
    FeedforwardClassifier,
    Plain,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    Variational,
    load_stack,
    save,
)
from stacked.gradients import Accumulation
from stacked.model import Batch
from stacked.precision import tensor_cores
from stacked.products import RoundedProducts
from stacked.randomness import Seeded
from stacked.settings import from_json, to_json
from stacked.training_config import SETTINGS

BITS = 8
"""Significant bits of bfloat16, so that rounding changes a number by at most a share of 2**-9."""


def rounded(x):
    """To the nearest number of eight significant bits, the even one of two, by arithmetic alone."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.rint(mantissa * 2**BITS), exponent - BITS)


def product(a, b):
    """As a CPU has it: rounded operands, and the sum rounded once more."""
    return rounded(rounded(a) @ rounded(b))


def gradient_by_numpy(x, w, b, v, c, multiply):
    """Of 1/(2n) sum (y - x)^2 with y = s(s(x W' + b) V' + c), by the encoder's and decoder's weights."""
    h = 1 / (1 + np.exp(-(multiply(x, w.T) + b)))
    y = 1 / (1 + np.exp(-(multiply(h, v.T) + c)))
    above = (y - x) * y * (1 - y)
    below = multiply(above, v) * h * (1 - h)
    return multiply(below.T, x) / len(x), multiply(above.T, h) / len(x)


def drawn_layer(settings, n_inputs=60):
    layer = settings.build(n_inputs, torch.float32)
    layer.draw(Seeded(3).stream("weights"))
    return layer


def gradients(layer, batch, precision):
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    layer.compute_in(precision)
    with torch.no_grad():
        layer.accumulate_gradients(batch, Accumulation(0.0, 1.0))
    found = {name: parameter.grad.clone() for name, parameter in layer.named_parameters()}
    layer.release()
    return found


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def test_the_gradient_is_that_of_rounded_operands():
    layer, x = drawn_layer(Plain(40)), np.random.default_rng(0).random((50, 60), np.float32)
    found = gradients(layer, Batch(torch.from_numpy(x), torch.from_numpy(x)), "bf16")
    parts = (layer.encoder.weight, layer.encoder.bias, layer.decoder.weight, layer.decoder.bias)
    values = [x.astype(float), *(part.detach().numpy().astype(float) for part in parts)]
    wanted, exact = gradient_by_numpy(*values, product), gradient_by_numpy(*values, np.matmul)
    for name, of_rounded, of_exact in zip(("encoder.weight", "decoder.weight"), wanted, exact, strict=True):
        near, far = distance(found[name].numpy(), of_rounded), distance(of_rounded, of_exact)
        assert near < far / 4  # sums in float32 fall on the other side of a tie now and then
        assert far < 2.0**-7


def test_a_gradient_joins_what_is_held_by_decay_and_scale():
    layer, x = drawn_layer(Plain(40, tied=True)), torch.rand(50, 60, generator=torch.Generator().manual_seed(0))
    once = gradients(layer, Batch(x, x), "bf16")
    for parameter in layer.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    layer.compute_in("bf16")
    with torch.no_grad():
        layer.accumulate_gradients(Batch(x, x), Accumulation(0.5, 3.0))
    for name, parameter in layer.named_parameters():
        torch.testing.assert_close(parameter.grad, 1.0 + 3.0 * once[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["variational", "variational-gaussian"])
def test_autograd_rounds_too(kind):
    layer, x = drawn_layer(KINDS[kind]), torch.rand(50, 60, generator=torch.Generator().manual_seed(0))
    batch = layer.prepare(x, None, Seeded(0).stream("noise"))
    exact, found = gradients(layer, batch, "float32"), gradients(layer, batch, "bf16")
    for name, of_exact in exact.items():
        assert found[name].dtype == torch.float32
        assert distance(found[name].numpy(), of_exact.numpy()) < 2.0**-4
    assert distance(found["hidden.weight"].numpy(), exact["hidden.weight"].numpy()) > 0


def training(precision, **more):
    return TrainingConfig(**({"epochs": 4, "batch_size": 20, "optimizer": SGD(0.2, 0.5)} | more), precision=precision)


def fitted(settings, rows, precision, **more):
    return StackedAutoencoder([settings], training(precision, **more)).fit(rows)


def test_a_training_ends_near_the_one_in_float32(settings, rows):
    """Each product forward, two of them or four, has two operands and a result that may each be off by 2**-9."""
    stacks = [fitted(settings, rows, precision, optimizer=SGD(0.02, 0.5)) for precision in ("float32", "bf16")]
    losses = [stack.histories[0]["loss"][-1] for stack in stacks]
    products = 4 if isinstance(settings, Variational) else 2
    assert losses[1] == pytest.approx(losses[0], rel=products * 3 * 2.0**-9)
    assert losses[1] != losses[0]


def test_a_line_search_and_a_classifier_may_be_rounded_too(rows):
    labels = (rows[:, 0] > 0.5).astype(int)
    for optimizer, batch_size in ((SGD(0.2), 20), (LBFGS(iterations=3), None)):
        exact, found = (
            FeedforwardClassifier((12, 7, 2)).fit(
                rows, labels, training(precision, optimizer=optimizer, batch_size=batch_size)
            )
            for precision in ("float32", "bf16")
        )
        assert found.history["loss"][-1] == pytest.approx(exact.history["loss"][-1], rel=2.0**-6)
        assert found.history["loss"] != exact.history["loss"]


def test_weights_and_what_is_measured_keep_the_dtype(rows):
    stack = fitted(Denoising(7), rows, "bf16", validation_fraction=0.2)
    x = torch.from_numpy(rows)
    layer = stack.layers[0]
    assert {parameter.dtype for parameter in layer.parameters()} == {torch.float32}
    validation = Seeded(0).stream("layer", 1, "validation")
    held_out = rows[validation.permutation(130)[:26].sort().values.numpy()]
    by_hand = layer.figures(torch.from_numpy(held_out), None)["loss"].item()
    assert stack.histories[0]["validation_loss"][-1] == pytest.approx(by_hand, rel=1e-6)
    sums = x @ layer.encoder.weight.detach().T + layer.encoder.bias.detach()
    np.testing.assert_allclose(stack.encode(rows), torch.sigmoid(sums), rtol=1e-6)


def test_rooms_are_made_once():
    products, random = RoundedProducts(), torch.Generator().manual_seed(0)
    for _ in range(3):
        for a, b in ((4, 5), (4, 5), (3, 2)):
            left, right = torch.rand(a, 6, generator=random), torch.rand(6, b, generator=random)
            products.errors_below(left, right, torch.empty(a, b))
    assert len(products._rooms) == 6


class Switch(Callback):
    """Notes torch's switch where a training looks at nothing but figures, and where it steps."""

    def __init__(self):
        self.between = set()

    def on_step(self, training, n_rows):
        self.between.add(torch.get_float32_matmul_precision())


def test_tensor_cores_are_allowed_in_steps_only(rows, monkeypatch):
    during, watch = set(), Switch()
    accumulate = RoundedProducts.__base__.add_to_weight

    def noting(*arguments):
        during.add(torch.get_float32_matmul_precision())
        accumulate(*arguments)

    monkeypatch.setattr(RoundedProducts.__base__, "add_to_weight", noting)
    StackedAutoencoder([Plain(7)], training("tf32")).fit(rows, callbacks=[watch])
    assert (during, watch.between) == ({"high"}, {"highest"})
    with pytest.raises(DivergedError):
        StackedAutoencoder([Plain(7, output="linear")], training("tf32", optimizer=SGD(1e6))).fit(rows)
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_cpu_without_tensor_cores_computes_in_float32(rows):
    plain, allowed = (fitted(Plain(7), rows, precision) for precision in ("float32", "tf32"))
    assert np.array_equal(plain.encode(rows), allowed.encode(rows))


def test_the_precision_is_kept_with_the_settings(rows, tmp_path):
    stack = StackedAutoencoder([Plain(7)], training("bf16")).fit(rows, run=tmp_path / "run")
    assert from_json(to_json(training("bf16")), SETTINGS) == training("bf16")
    loaded = load_stack(save(stack, tmp_path / "saved"))
    assert loaded.training == (training("bf16"),)
    assert np.array_equal(loaded.encode(rows), stack.encode(rows))
    with pytest.raises(StackedError, match="precision = float32, received one with training 1 precision = bf16"):
        StackedAutoencoder([Plain(7)], training("float32")).fit(rows, run=tmp_path / "run")


def test_the_switch_of_tensor_cores_is_put_back_by_the_last_of_several_threads():
    before, first, second = torch.get_float32_matmul_precision(), tensor_cores("tf32"), tensor_cores("tf32")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == "high"
    second.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == before
