"""Settings as JSON and back."""

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest

from stacked import (
    LBFGS,
    SGD,
    Adam,
    ClassifierSettings,
    Contractive,
    CosineDecay,
    Denoising,
    ExponentialDecay,
    Gaussian,
    KLSparsity,
    L1Sparsity,
    Masking,
    Plain,
    SaltAndPepper,
    Sparse,
    StackedAutoencoder,
    TopK,
    Variational,
)
from stacked.autoencoders import SETTINGS as LAYERS
from stacked.errors import StackedError
from stacked.settings import from_json, to_json
from stacked.training_config import SETTINGS as TRAINING
from stacked.training_config import TrainingConfig

KINDS = (*LAYERS, *TRAINING, ClassifierSettings)
PLAIN = {
    "is": "Plain",
    "n_units": 7,
    "activation": "sigmoid",
    "output": "sigmoid",
    "loss": "squared_error",
    "tied": False,
    "weight_decay": 0.0,
    "random_bias": False,
}


def there_and_back(value):
    return from_json(json.loads(json.dumps(to_json(value))), KINDS)


def test_every_kind_of_layer_comes_back(settings):
    back = there_and_back(settings)
    assert type(back) is type(settings)
    assert back == settings


@pytest.mark.parametrize(
    "value",
    [
        TrainingConfig(),
        TrainingConfig(3, None, LBFGS(0.5, 7, 3), None, 0.25, 2),
        TrainingConfig(3, 10, SGD(0.1, 0.9), ExponentialDecay(0.97)),
        TrainingConfig(3, 10, Adam(1 / 3), CosineDecay(0.1)),
        ClassifierSettings((5, 4, 3), ("relu",), 0.5, 1e-4, True, "sigmoid"),
        ClassifierSettings((5, 2)),
    ],
)
def test_settings_of_training_and_classifier_come_back(value):
    assert there_and_back(value) == value


def test_a_sequence_comes_back_as_a_tuple_of_settings():
    layers = (Plain(7), Denoising(3, corruption=Masking(0.1)))
    assert there_and_back(list(layers)) == layers


def test_the_json_names_the_class_and_every_field():
    assert to_json(Plain(7)) == PLAIN


def test_nested_settings_have_their_own_tag():
    assert to_json(Denoising(7, corruption=Masking(0.3)))["corruption"] == {"is": "Masking", "fraction": 0.3}


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-320, 5e-324, 1.7976931348623157e308])
def test_numbers_come_back_to_the_last_bit(value):
    assert there_and_back(Plain(7, weight_decay=value)).weight_decay == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Plain(np.int64(7)), Plain(7)),
        (Plain(7, weight_decay=np.float32(0.25)), Plain(7, weight_decay=0.25)),
        (Denoising(7, corruption=Masking(np.float16(0.5))), Denoising(7, corruption=Masking(0.5))),
        (TrainingConfig(batch_size=np.int32(10)), TrainingConfig(batch_size=10)),
        (ClassifierSettings(tuple(np.array([5, 4, 3]))), ClassifierSettings((5, 4, 3))),
        (Plain(7, weight_decay=Fraction(1, 4)), Plain(7, weight_decay=0.25)),
    ],
    ids=["int64", "float32", "float16", "int32", "sizes", "fraction"],
)
def test_numbers_of_other_types_are_stored_as_numbers(value, expected):
    assert there_and_back(value) == expected


@pytest.mark.parametrize("name", ["CodeCache", "StackedAutoencoder", "Nothing", "os.system", "", None, 3, ["Plain"]])
def test_a_class_that_is_not_listed_is_never_made(name):
    with pytest.raises(StackedError, match="settings of Plain"):
        from_json(PLAIN | {"is": name}, KINDS)


def test_a_listed_class_is_refused_where_the_list_lacks_it():
    with pytest.raises(StackedError, match="'Plain'"):
        from_json(PLAIN, [Denoising, Masking])


def test_a_missing_tag_is_refused():
    with pytest.raises(StackedError, match="settings"):
        from_json({key: value for key, value in PLAIN.items() if key != "is"}, KINDS)


@pytest.mark.parametrize("field", [field for field in PLAIN if field != "is"])
def test_a_missing_field_is_named(field):
    with pytest.raises(StackedError, match=rf"Plain: .* unknown \[\] and missing \['{field}'\]"):
        from_json({key: value for key, value in PLAIN.items() if key != field}, KINDS)


def test_a_surplus_field_is_named():
    with pytest.raises(StackedError, match=r"Plain: .* unknown \['colour'\] and missing \[\]"):
        from_json(PLAIN | {"colour": "red"}, KINDS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_units", 0),
        ("n_units", "7"),
        ("n_units", None),
        ("n_units", 7.0),
        ("activation", "softmax"),
        ("activation", ["sigmoid"]),
        ("loss", 3),
        ("weight_decay", -1),
        ("weight_decay", float("nan")),
        pytest.param("weight_decay", 10**400, id="weight_decay-huge"),
        ("tied", "yes"),
        ("random_bias", 2),
    ],
)
def test_values_are_checked_as_those_of_a_user_are(field, value):
    with pytest.raises(StackedError, match=field):
        from_json(PLAIN | {field: value}, KINDS)


@pytest.mark.parametrize("sizes", [5, None, "abc", [], [5], [5, 0, 2], [5, 1], [[5], 2]])
def test_sizes_of_a_wrong_form_are_refused(sizes):
    data = to_json(ClassifierSettings((5, 4, 3), ("relu",))) | {"sizes": sizes}
    with pytest.raises(StackedError):
        from_json(data, KINDS)


def test_settings_cannot_be_changed(settings):
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.n_units = 3


FRACTION = Fraction(1, 4)


@pytest.mark.parametrize(
    ("layer", "optimizer"),
    [
        (Plain(7, weight_decay=FRACTION), SGD(FRACTION, FRACTION)),
        (Denoising(7, corruption=Masking(FRACTION)), Adam(FRACTION)),
        (Denoising(7, corruption=Gaussian(FRACTION)), LBFGS(FRACTION)),
        (Denoising(7, corruption=SaltAndPepper(FRACTION, -FRACTION, FRACTION)), SGD(FRACTION)),
        (Sparse(7, penalty=KLSparsity(FRACTION, FRACTION, FRACTION, FRACTION)), SGD(FRACTION)),
        (Sparse(7, penalty=L1Sparsity(FRACTION)), SGD(FRACTION)),
        (Sparse(7, penalty=TopK(2, 3, FRACTION)), SGD(FRACTION)),
        (Contractive(7, weight=FRACTION), SGD(FRACTION)),
        (Variational(7, kl_weight=FRACTION, warm_up=FRACTION, weight_decay=FRACTION), Adam(FRACTION)),
    ],
)
@pytest.mark.parametrize("schedule", [ExponentialDecay(FRACTION), CosineDecay(FRACTION)])
def test_fractions_train_as_the_floats_they_are(rows, layer, optimizer, schedule):
    training = TrainingConfig(2, 20, optimizer, schedule, validation_fraction=FRACTION)
    floats = there_and_back(layer), there_and_back(training)
    codes = [StackedAutoencoder([one], how).fit(rows).encode(rows) for one, how in ((layer, training), floats)]
    assert np.array_equal(*codes)


NO_FLAG = (-1, "1", None, [], {}, float("nan"), float("inf"))
HOSTILE = {
    "number": (*NO_FLAG, True, 10**400),
    "count": (*NO_FLAG, True, 0, 1.5),  # a huge one is refused when the layer is built
    "flag": (*NO_FLAG, 0, 1),
    "penalty": (*NO_FLAG, True, to_json(Masking(0.1)), to_json(Plain(3)), [to_json(TopK(1))], {"is": "TopK"}),
}
NEW = [
    (Contractive(7), "number", ("weight",)),
    (Variational(7), "count", ("n_units", "hidden")),
    (Variational(7), "number", ("kl_weight", "warm_up", "weight_decay")),
    (Sparse(7), "flag", ("unit_norm", "revive")),
    (Sparse(7), "penalty", ("penalty",)),
    (TopK(2, 3, 1.0), "count", ("k", "initial_k")),
    (TopK(2, 3, 1.0), "number", ("annealing",)),
]


@pytest.mark.parametrize(
    ("made", "field", "value"),
    [
        pytest.param(made, field, value, id=f"{type(made).__name__}-{field}-{number}")
        for made, kind, fields in NEW
        for field in fields
        for number, value in enumerate(HOSTILE[kind])
    ],
)
def test_no_hostile_value_of_a_stored_field_is_taken(made, field, value):
    with pytest.raises(StackedError):
        from_json(to_json(made) | {field: value}, KINDS)
