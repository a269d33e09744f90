"""Models that were trained on numbers from 0 to 1 refuse the bytes of images that were not divided by 255."""

import struct

import numpy as np
import pytest
from typer.testing import CliRunner

from stacked import (
    FeedforwardClassifier,
    FeedforwardRegressor,
    Plain,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    load,
    load_stack,
    save,
)
from stacked.cli import app
from stacked.model_card import model_card
from stacked.seeds import fit_stacks

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 16), np.uint8)
LABELS = np.arange(60) % 3
BRIEF = TrainingConfig(epochs=1, batch_size=20)
TOLD = "x: expected numbers from 0 to 1, as in training, received whole ones from 0 to 255; divide bytes of images by"


def stack(rows, **options):
    return StackedAutoencoder([Plain(4, output="linear")], BRIEF, **options).fit(rows)


def test_a_stack_of_any_output_refuses_them(tmp_path):
    trained = stack(PIXELS / 255)
    together = StackedAutoencoder([Plain(4, output="linear")], BRIEF)
    fit_stacks([together], PIXELS / 255)
    for each in (trained, together, trained[:1], load_stack(save(trained, tmp_path / "stack"))):
        for use in (each.encode, each.reconstruct):
            with pytest.raises(StackedError, match=TOLD):
                use(PIXELS)
        assert each.encode(PIXELS > 127).shape == (60, 4)
        assert each.encode((PIXELS > 127).astype(int)).shape == (60, 4)


@pytest.mark.parametrize("kind", [FeedforwardClassifier, FeedforwardRegressor])
def test_so_does_a_network_on_it_or_of_its_own(tmp_path, kind):
    n_outputs = 3 if kind is FeedforwardClassifier else 1
    fresh = kind.from_stack(stack(PIXELS / 255), n_outputs)
    with pytest.raises(StackedError, match=TOLD):
        fresh.fit(PIXELS, LABELS, BRIEF)
    own = kind((16, 5, n_outputs)).fit(PIXELS / 255, LABELS, BRIEF)
    for each in (fresh, own, load(save(own, tmp_path / "network"))):
        for use in (each.predict, each.outputs, each.encode):
            with pytest.raises(StackedError, match=TOLD):
                use(PIXELS)
    with pytest.raises(StackedError, match=TOLD.replace("x:", "validation rows:")):
        own.fit(PIXELS / 255, LABELS, BRIEF, validation=(PIXELS, LABELS))


def test_a_model_that_was_trained_on_bytes_takes_them():
    for trained in (stack(PIXELS), stack(PIXELS, scaling="min_max"), stack(PIXELS / 255, scaling="min_max")):
        assert np.isfinite(trained.encode(PIXELS)).all()
        assert "255" not in model_card(trained)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_card_of_a_model_of_images_says_how_to_use_it(tmp_path, monkeypatch, dtype):
    """As it says, the library gives the bits of the command."""
    monkeypatch.chdir(tmp_path)
    content = struct.pack(">HBBIII", 0, 8, 3, 60, 4, 4) + PIXELS.tobytes()
    (tmp_path / "a-idx3-ubyte").write_bytes(content)
    np.save("labels.npy", LABELS)
    short = ["--epochs", "1"]
    for arguments in (
        ["pretrain", "a-idx3-ubyte", "--layers", "plain:4", "--dtype", dtype, "--out", "enc", *short],
        ["encode", "enc", "a-idx3-ubyte", "--out", "codes.npy"],
        ["finetune", "enc", "a-idx3-ubyte", "--labels", "labels.npy", "--out", "clf", *short],
        ["encode", "clf", "a-idx3-ubyte", "--out", "hidden.npy"],
    ):
        finished = CliRunner().invoke(app, arguments)
        assert finished.exit_code == 0, finished.output
    assert np.array_equal(load_stack("enc").encode(PIXELS / 255), np.load("codes.npy"))
    assert np.array_equal(load("clf").encode(PIXELS / 255), np.load("hidden.npy"))
    for model, use in (("enc", "codes = model.encode(x)"), ("clf", "predicted = model.predict(x)")):
        card = (tmp_path / model / "model_card.md").read_text()
        assert "Scaling: none; all values lay between 0 and 1." in card
        assert f"{use}  # numbers from 0 to 1: where x are the bytes of images, x / 255\n" in card
