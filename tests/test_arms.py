"""Arms out of descriptions, and what suits a table."""

import numpy as np
import pytest

from stacked import (
    Adam,
    ClassifierSettings,
    Contractive,
    Denoising,
    KLSparsity,
    Masking,
    Plain,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TopK,
    TrainingConfig,
    Variational,
)
from stacked.arms import RANDOM, arms_from, arms_of, hidden_layers, plain_of
from stacked.comparison import Arm
from stacked.feedforward_settings import RegressorSettings
from stacked.labelled_table import LabelledTable
from stacked.layer_text import layers_from
from stacked.recipes import LAYERS, Given, recipe_for
from stacked.rows import as_rows
from stacked.targets import as_target

OPTIONS = {"activation": "tanh", "output": "linear", "tied": True, "weight_decay": 0.1, "random_bias": True}


def table(n, n_inputs=4, numbers=False, **more):
    random = np.random.default_rng(0)
    raw = random.normal(size=n) if numbers else np.arange(n) % 3
    return LabelledTable(as_rows(random.random((n, n_inputs))), as_target(raw), **more)


def test_the_arms_of_a_description_are_with_noise_without_and_without_pretraining():
    layers = (Denoising(9, corruption=Masking(0.2), **OPTIONS), Denoising(5, **OPTIONS))
    assert arms_of(layers) == [
        Arm("denoising", layers),
        Arm("plain", (Plain(9, **OPTIONS), Plain(5, **OPTIONS))),
        Arm("random"),
    ]


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        ([Plain(3), Plain(2)], ["plain", "random"]),
        ([Sparse(3, penalty=KLSparsity(0.1)), Denoising(2), Sparse(2)], ["sparse-denoising", "plain", "random"]),
        ([Contractive(3)], ["contractive", "plain", "random"]),
        ([Denoising(4), Sparse(3, penalty=TopK(2))], ["denoising-sparse", "random"]),
        ([Variational(2, hidden=4)], ["variational", "plain", "random"]),
    ],
)
def test_arms_are_named_by_their_kinds_and_share_widths_and_activations(layers, names):
    arms = arms_of(layers)
    assert [arm.name for arm in arms] == names
    widths, activations = hidden_layers(arms, 7)
    stack = StackedAutoencoder(layers).draw(7)
    assert widths == tuple(len(dense.bias) for dense in stack.encoder_layers)
    assert activations == tuple(dense.activation.name for dense in stack.encoder_layers)


def test_plain_layers_of_a_variational_one_reproduce_its_rows_and_its_hidden_outputs():
    lower, upper = plain_of(Variational(2, hidden=4, activation="tanh", weight_decay=0.1))
    assert lower == Plain(4, activation="tanh", output="sigmoid", loss="cross_entropy", weight_decay=0.1)
    assert upper == Plain(2, activation="linear", output="linear", weight_decay=0.1)


def test_arms_that_are_described_one_by_one():
    arms = arms_from(["masked = denoising:5:mask=0.3, plain:2", "few=sparse:5:l1=0.1, plain:2"])
    assert [arm.name for arm in arms] == ["masked", "few", "random"]
    assert arms[0].layers == (Denoising(5, corruption=Masking(0.3)), Plain(2))
    assert hidden_layers(arms, 3) == ((5, 2), ("sigmoid", "sigmoid"))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["denoising:5:mask=0.3"], "arm: expected name=layers, received 'denoising:5:mask=0.3'; write for instance"),
        (["denoising"], "arm: expected name=layers, received 'denoising'"),
        (["a=plain:5", "a=plain:5"], "arm: expected a name of its own for each, .*received a, a, random; rename one"),
        (["random=plain:5"], "arm: expected a name of its own"),
        (["a=plane:5"], "layer 1, 'plane:5': kind: expected one of plain"),
    ],
)
def test_what_describes_no_arms_is_told(texts, message):
    with pytest.raises(StackedError, match=message):
        arms_from(texts)


@pytest.mark.parametrize("other", ["plain:5, plain:3", "plain:5:activation=tanh, plain:2", "plain:5"])
def test_arms_of_other_widths_or_activations_are_refused(other):
    with pytest.raises(StackedError, match=r"arm 'b': expected hidden layers 5 sigmoid, 2 sigmoid, as 'a' has them"):
        hidden_layers(arms_from(["a=plain:5, plain:2", f"b={other}"]), 4)


def test_without_layers_there_is_nothing_to_compare():
    with pytest.raises(StackedError, match="arms: expected layers to pretrain, received none"):
        hidden_layers([RANDOM], 4)


def test_the_network_is_that_of_the_arms_and_the_table():
    arms = arms_from(["a=plain:5:activation=relu:output=linear, plain:2"])
    assert recipe_for(table(60), arms).network == ClassifierSettings((4, 5, 2, 3), ("relu", "sigmoid"))
    assert recipe_for(table(60, numbers=True), arms).network == RegressorSettings((4, 5, 2, 1), ("relu", "sigmoid"))


def test_small_tables_have_small_batches_and_many_epochs_and_large_ones_the_reverse():
    arms = arms_of(layers_from(LAYERS))
    plans = [recipe_for(table(n, 1), arms).finetuning for n in (20, 500, 5000, 200_000)]
    batches, epochs = ([getattr(plan, name) for plan in plans] for name in ("batch_size", "epochs"))
    assert batches == sorted(batches)
    assert epochs == sorted(epochs, reverse=True)
    assert batches[0] <= 16  # the training side of the smallest
    assert batches[-1] == 100


def test_what_is_given_is_taken():
    given = Given(epochs=3, finetune_epochs=4, batch_size=5, learning_rate=0.5, patience=2, scaling="standard")
    recipe = recipe_for(table(60, validation_fraction=0.1), arms_of([Plain(3)]), given)
    assert recipe.pretraining == TrainingConfig(3, 5, Adam(0.5), patience=2)
    assert recipe.finetuning == TrainingConfig(4, 5, Adam(0.5), patience=2)
    assert recipe.scaling == "standard"


def test_patience_needs_validation_rows():
    with pytest.raises(StackedError, match="patience: expected validation rows, received none; set a validation"):
        recipe_for(table(60), arms_of([Plain(3)]), Given(patience=2))
