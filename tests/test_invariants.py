"""The invariants of the package, over all kinds of layer."""

import numpy as np
import pytest
import torch
from conftest import KINDS

from stacked import (
    SGD,
    Autoencoder,
    CodeCache,
    Denoising,
    FeedforwardClassifier,
    Masking,
    Plain,
    StackedAutoencoder,
    TrainingConfig,
    load_stack,
    save,
)
from stacked.randomness import Seeded

TRAINING = TrainingConfig(epochs=2, batch_size=20, optimizer=SGD(0.2, momentum=0.5))


def stack_on(settings, rows, **options):
    """The layer on top of a plain one, whose sigmoid codes suit every kind."""
    return StackedAutoencoder([Plain(9), settings], TRAINING, **options).fit(rows)


def weights(stack):
    return [parameter.detach().clone() for layer in stack.layers for parameter in layer.parameters()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture
def encodings(monkeypatch):
    """How many rows the encoders have computed so far."""
    counted = []
    encode = Autoencoder.encode

    def counting(self, x):
        counted.append(len(x))
        return encode(self, x)

    monkeypatch.setattr(Autoencoder, "encode", counting)
    return counted


def test_corruption_touches_the_input_and_not_the_target(settings, rows):
    layer = settings.build(12, torch.float32)
    x = torch.from_numpy(rows)
    batch = layer.prepare(x, None, Seeded(0).stream("noise"))
    assert torch.equal(batch.target, torch.from_numpy(rows))
    assert torch.equal(x, torch.from_numpy(rows))
    assert torch.equal(batch.inputs, x) == (not isinstance(settings, Denoising))


def test_a_fresh_corruption_is_drawn_for_each_minibatch(rows):
    layer, noise = Denoising(7, corruption=Masking(0.3)).build(12, torch.float32), Seeded(0).stream("noise")
    first, second = (layer.prepare(torch.from_numpy(rows), None, noise).inputs for _ in range(2))
    assert not torch.equal(first, second)


def test_codes_are_clean_and_deterministic(settings, rows):
    stack = stack_on(settings, rows)
    first = stack.encode(rows)
    assert np.array_equal(first, stack.encode(rows))
    by_hand = rows
    with torch.no_grad():
        for layer in stack.encoder_layers:
            sums = torch.as_tensor(by_hand) @ layer.weight.T + layer.bias
            by_hand = layer.activation.apply(sums)
    np.testing.assert_allclose(first, by_hand, rtol=1e-5, atol=1e-6)


def test_codes_do_not_depend_on_the_batch_beyond_rounding(settings, rows):
    stack = stack_on(settings, rows)
    one_by_one = np.concatenate([stack.encode(row[None]) for row in rows])
    np.testing.assert_allclose(one_by_one, stack.encode(rows), rtol=1e-5, atol=1e-6)


def test_training_from_memory_and_from_the_cache_gives_the_same_bits(settings, rows, tmp_path):
    stack = stack_on(settings, rows, cache=tmp_path / "cache")
    codes = np.array(StackedAutoencoder([Plain(9)], TRAINING).fit(rows).encode(rows))
    from_memory = StackedAutoencoder([settings], TRAINING, seed=_AsSecondLayer()).fit(codes)
    assert same(weights(from_memory), [p.detach() for p in stack.layers[1].parameters()])


class _AsSecondLayer(Seeded):
    """Gives a first layer the streams of a second one."""

    def __init__(self):
        super().__init__(0)

    def stream(self, *purpose, device="cpu"):
        assert purpose[:2] == ("layer", 1)
        return super().stream("layer", 2, *purpose[2:], device=device)


def test_with_and_without_a_cache_folder_gives_the_same_bits(settings, rows, tmp_path):
    assert same(weights(stack_on(settings, rows)), weights(stack_on(settings, rows, cache=tmp_path)))


def test_encoding_the_same_rows_twice_computes_once(settings, rows, tmp_path, encodings):
    stack = stack_on(settings, rows, cache=tmp_path)
    first = np.array(stack.encode(rows))
    computed = sum(encodings)
    assert np.array_equal(stack.encode(rows), first)
    assert sum(encodings) == computed


def test_fit_again_reuses_the_codes_it_has_written(rows, tmp_path, encodings):
    cache = CodeCache(tmp_path)
    for _ in range(2):
        StackedAutoencoder([Plain(9), Plain(5)], TRAINING, cache=cache).fit(rows)
    assert (cache.computed, cache.reused, sum(encodings)) == (1, 1, len(rows))


def test_only_what_a_later_step_reads_is_written(rows, tmp_path):
    stack = StackedAutoencoder([Plain(9), Plain(5), Plain(4)], TRAINING, cache=tmp_path).fit(rows)
    values = sum(path.stat().st_size for path in tmp_path.iterdir()) - 2 * 2**13
    assert len(list(tmp_path.iterdir())) == 2
    assert values < stack.disk_bytes(len(rows)) == len(rows) * (9 + 5) * 4


def test_without_a_cache_folder_nothing_is_left_on_disk(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    StackedAutoencoder([Plain(9), Plain(5), Plain(4)], TRAINING).fit(rows)
    assert list(tmp_path.iterdir()) == []


def test_hidden_outputs_before_fine_tuning_are_the_codes(settings, rows):
    stack = stack_on(settings, rows)
    classifier = FeedforwardClassifier.from_stack(stack, 3)
    assert np.array_equal(classifier.hidden(rows), stack.encode(rows))
    assert np.array_equal(classifier.hidden(rows, 1), stack.encode(rows, 1))


def test_decoders_play_no_part_in_the_classifier(settings, rows):
    stack = stack_on(settings, rows)
    before = FeedforwardClassifier.from_stack(stack, 3).outputs(rows)
    with torch.no_grad():
        for layer in stack.layers:
            layer.decoder.bias.add_(1.0)
    assert np.array_equal(FeedforwardClassifier.from_stack(stack, 3).outputs(rows), before)


def test_fine_tuning_leaves_the_stack_as_it_is(rows):
    stack = stack_on(Plain(7), rows)
    before = weights(stack)
    FeedforwardClassifier.from_stack(stack, 3).fit(rows, np.arange(len(rows)) % 3, TRAINING)
    assert same(before, weights(stack))


def test_saved_and_loaded_layers_encode_to_the_same_bits(settings, rows, tmp_path):
    stack = stack_on(settings, rows)
    loaded = load_stack(save(stack, tmp_path / "stack"))
    assert np.array_equal(loaded.encode(rows), stack.encode(rows))
    assert np.array_equal(loaded.reconstruct(rows), stack.reconstruct(rows))


def test_the_same_seed_gives_the_same_result(settings, rows):
    assert same(weights(stack_on(settings, rows, seed=4)), weights(stack_on(settings, rows, seed=4)))
    assert not same(weights(stack_on(settings, rows, seed=4)), weights(stack_on(settings, rows, seed=5)))


def test_streams_are_independent():
    """Drawing more from one stream leaves the others as they were."""
    quiet, busy = Seeded(0), Seeded(0)
    busy.stream("layer", 1, "noise").keep_mask(torch.empty(100, 100), 0.3)
    for purpose in (("layer", 1, "shuffle"), ("layer", 1, "weights"), ("fine-tuning", "shuffle")):
        assert torch.equal(quiet.stream(*purpose).permutation(50), busy.stream(*purpose).permutation(50))


def test_corruption_changes_neither_the_order_nor_the_initial_weights(rows):
    none = TrainingConfig(epochs=0, batch_size=20)
    plain, denoising = (
        StackedAutoencoder([layer], none).fit(rows) for layer in (Plain(7), Denoising(7, corruption=Masking(0.5)))
    )
    assert same(weights(plain), weights(denoising))
    unmasked = StackedAutoencoder([Denoising(7, corruption=Masking(0.0))], TRAINING).fit(rows)
    assert same(weights(unmasked), weights(StackedAutoencoder([Plain(7)], TRAINING).fit(rows)))


def test_pretraining_does_not_change_the_random_output_layer(rows):
    stack = stack_on(Plain(7), rows)
    pretrained = FeedforwardClassifier.from_stack(stack, 3, seed=8)
    random = FeedforwardClassifier(pretrained.settings, seed=8)
    assert torch.equal(pretrained.layers[-1].weight, random.layers[-1].weight)
    assert not torch.equal(pretrained.layers[0].weight, random.layers[0].weight)


def test_any_mix_may_be_stacked(rows):
    mix = [
        KINDS[name]
        for name in ("denoising-masking", "sparse-kl-running", "plain-tied", "denoising-salt", "sparse-l1")
    ]
    stack = StackedAutoencoder(mix, TRAINING).fit(rows)
    assert stack.encode(rows).shape == (130, 7)
    assert stack.reconstruct(rows).shape == rows.shape
    assert [len(history) for history in stack.histories] == [2] * 5
