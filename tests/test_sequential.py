"""Models as torch modules: the same codes and outputs, from copies of the weights, trainable as torch's own are."""

import copy

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import KINDS
from torch import nn

from stacked import ClassifierSettings, FeedforwardClassifier, Plain, StackedAutoencoder, StackedError
from stacked.dense import Dense
from stacked.scaling import Scaling
from stacked.sequential import InputScaling, LargestOnly, ScaledTanh, to_sequential

CLOSE = {"float32": 1e-6, "float64": 1e-12}
ROWS = np.random.default_rng(1).standard_normal((130, 12))
ACTIVATIONS = ("sigmoid", "relu", "tanh", "scaled_tanh", "linear", "relu_top_3", "sigmoid_top_9")


@pytest.fixture(params=CLOSE)
def dtype(request):
    """float32 and float64."""
    return request.param


def drawn(*layers, **options):
    """A stack whose weights and biases are random."""
    stack = StackedAutoencoder(layers, seed=3, **options).draw(12)
    stream = torch.Generator().manual_seed(0)
    for layer in stack.encoder_layers:
        layer.bias.data.normal_(generator=stream)
    return stack


def classifier(output, dtype="float32", activations=ACTIVATIONS):
    settings = ClassifierSettings((12, *(7 for _ in activations), 4), activations, 0.3, output=output)
    return FeedforwardClassifier(settings, seed=5, dtype=dtype)


def values(network, rows, dtype="float32"):
    with torch.no_grad():
        return network(torch.from_numpy(rows.astype(dtype))).numpy()


def kinds_of(network):
    return [type(module) for module in network]


def test_every_kind_of_layer_gives_the_codes_of_the_stack(settings, dtype):
    stack = drawn(settings, Plain(5, activation="tanh"), dtype=dtype)
    for depth in (1, 2, None):
        codes = values(to_sequential(stack, depth), ROWS, dtype)
        assert codes.dtype == dtype
        np.testing.assert_allclose(codes, stack.encode(ROWS, depth), rtol=0, atol=CLOSE[dtype])


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_a_classifier_gives_its_outputs_whatever_its_activations(output, dtype):
    model = classifier(output, dtype)
    network = to_sequential(model)
    np.testing.assert_allclose(values(network, ROWS, dtype), model.outputs(ROWS), rtol=0, atol=CLOSE[dtype])
    assert type(network[-1]) is {"softmax": nn.Softmax, "sigmoid": nn.Sigmoid}[output]


def test_a_fine_tuned_classifier_gives_its_outputs(rows):
    model = FeedforwardClassifier.from_stack(drawn(Plain(7)), 3).fit(rows, np.arange(130) % 3)
    np.testing.assert_allclose(values(to_sequential(model), rows), model.outputs(rows), rtol=0, atol=1e-6)


def test_the_modules_are_those_of_torch_where_it_has_any():
    stack = drawn(KINDS["variational"], Plain(7, activation="scaled_tanh", output="linear"), KINDS["sparse-top-k"])
    expected = [nn.Linear, nn.ReLU, nn.Linear, nn.Linear, ScaledTanh, nn.Linear, nn.ReLU, LargestOnly]
    assert kinds_of(to_sequential(stack)) == expected
    assert kinds_of(to_sequential(drawn(Plain(7)))) == [nn.Linear, nn.Sigmoid]
    network = to_sequential(classifier("sigmoid"))
    assert not any(module.training for module in network.modules())
    assert not any(isinstance(module, Dense) for module in network.modules())


def test_as_many_units_are_kept_as_there_are_where_more_are_asked_for():
    network = to_sequential(classifier("sigmoid", activations=("relu_top_9",)))
    assert network[2].k == 7
    np.testing.assert_array_equal(values(network[:3], ROWS), values(network[:2], ROWS))


def test_weights_are_copies(rows):
    stack = drawn(Plain(7), Plain(5))
    before = stack.encode(rows)
    network = to_sequential(stack)
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    network(torch.from_numpy(rows)).square().sum().backward()
    optimizer.step()
    assert np.abs(values(network, rows) - before).max() > 0.1
    np.testing.assert_array_equal(stack.encode(rows), before)
    assert all(layer.weight.grad is None for layer in stack.encoder_layers)


def test_a_new_head_is_trained_by_plain_torch(rows):
    labels = torch.from_numpy((rows[:, 0] > rows[:, 1]).astype(np.int64))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = to_sequential(drawn(Plain(7))).append(nn.Linear(7, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(torch.from_numpy(rows)), labels).backward()
        optimizer.step()
    assert (network(torch.from_numpy(rows)).argmax(dim=1) == labels).float().mean() > 0.9


def test_its_state_is_saved_without_pickle_and_fits_a_plain_network(rows):
    network = to_sequential(drawn(Plain(7), Plain(5, activation="relu")))
    content = safetensors.torch.save(network.state_dict())
    with torch.random.fork_rng():
        plain = nn.Sequential(nn.Linear(12, 7), nn.Sigmoid(), nn.Linear(7, 5), nn.ReLU())
    plain.load_state_dict(safetensors.torch.load(content))
    np.testing.assert_array_equal(values(plain, rows), values(network, rows))


# Scaling

SHIFT, SCALE = np.linspace(-2000.123, 3000.321, 12), np.linspace(0.1, 7, 12)
FAR = ROWS * SCALE + SHIFT


def with_scaling(model):
    scaled = copy.copy(model)
    scaled.scaling = Scaling("standard", SHIFT, SCALE)
    return scaled


def test_rows_are_scaled_in_float64_where_they_are_of_float64_or_whole_numbers(dtype):
    stack = drawn(Plain(7), dtype=dtype)
    network = to_sequential(with_scaling(stack))
    assert network[0].shift.dtype == network[0].scale.dtype == torch.float64
    for rows in (FAR, FAR.round().astype(np.int64), FAR.round().astype(np.int16)):
        codes = values(network, rows, rows.dtype)
        assert codes.dtype == dtype
        expected = stack.encode(((rows - SHIFT) / SCALE).astype(dtype))
        np.testing.assert_allclose(codes, expected, rtol=0, atol=CLOSE[dtype])


def test_other_rows_are_scaled_in_the_dtype_of_the_model(dtype):
    stack = drawn(Plain(7), dtype=dtype)
    shift, scale, rows = SHIFT.astype(dtype), SCALE.astype(dtype), FAR.astype(np.float32)
    expected = stack.encode((rows.astype(dtype) - shift) / scale)
    codes = values(to_sequential(with_scaling(stack)), rows)
    np.testing.assert_allclose(codes, expected, rtol=0, atol=CLOSE[dtype])


def test_outputs_of_a_classifier_are_those_of_scaled_rows():
    model = classifier("softmax")
    outputs = values(to_sequential(with_scaling(model)), FAR, np.float64)
    np.testing.assert_allclose(outputs, model.outputs((FAR - SHIFT) / SCALE), rtol=0, atol=1e-6)


def test_scaling_goes_with_the_layers_to_another_dtype():
    network = to_sequential(with_scaling(drawn(Plain(7)))).double()
    exact = torch.sigmoid(nn.functional.linear(torch.from_numpy((FAR - SHIFT) / SCALE), *network[1].parameters()))
    np.testing.assert_allclose(values(network, FAR, np.float64), exact.detach().numpy(), rtol=0, atol=1e-14)


def test_scaling_is_saved_with_the_weights():
    network = to_sequential(with_scaling(drawn(Plain(7))))
    assert list(network.state_dict()) == ["0.shift", "0.scale", "1.weight", "1.bias"]
    assert isinstance(network[0], InputScaling)


# What cannot be had


@pytest.mark.parametrize(
    ("model", "depth", "message"),
    [
        (StackedAutoencoder([Plain(7)]), None, "the stack: expected a trained one, received one without layers"),
        (drawn(Plain(7)), 2, "depth: expected at most 1, the layers there are, received 2"),
        (classifier("softmax"), 1, "depth: expected none for a classifier, .*, received 1; leave it out"),
        (Plain(7), None, "model: expected a stack, a classifier or a regressor, received Plain; pass "),
    ],
)
def test_what_is_no_trained_model_is_refused(model, depth, message):
    with pytest.raises(StackedError, match=message):
        to_sequential(model, depth)
