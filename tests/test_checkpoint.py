"""Saved models: the same bits come back, and whatever is damaged, foreign or harmful is refused by its name."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from stacked import (
    SGD,
    ClassifierSettings,
    CosineDecay,
    Denoising,
    FeedforwardClassifier,
    FeedforwardRegressor,
    Plain,
    RegressorSettings,
    Sparse,
    StackedAutoencoder,
    TopK,
    TrainingConfig,
    Variational,
    load_classifier,
    load_regressor,
    load_stack,
    save,
)
from stacked.descriptions import write_description
from stacked.errors import StackedError
from stacked.files import write_atomically
from stacked.randomness import Randomness, Seeded
from stacked.state_files import check_tensors

CONFIG = TrainingConfig(2, 40, SGD(0.1, 0.5), CosineDecay(0.1), validation_fraction=0.2, patience=2)
LOADERS = {"stack": load_stack, "classifier": load_classifier, "regressor": load_regressor}
LABELS = np.arange(130) % 3


def trained(rows, layers=None, **options):
    layers = [Denoising(7), Sparse(5, tied=True)] if layers is None else layers
    return StackedAutoencoder(layers, CONFIG, **options).fit(rows, progress=False)


def tuned(rows, **options):
    settings = ClassifierSettings(
        (12, 7, 5, 3), ("sigmoid", "relu"), output="sigmoid", dropout=0.2, weight_decay=0.01
    )
    return FeedforwardClassifier(settings, **options).fit(rows, LABELS, CONFIG, progress=False)


def regressed(rows, **options):
    settings = RegressorSettings((12, 7, 2), ("relu",), 0.2, 0.01)
    targets = rows[:, :2] * [1, 100]
    return FeedforwardRegressor(settings, scaling="standard", **options).fit(rows, targets, CONFIG, progress=False)


MAKERS = {"stack": trained, "classifier": tuned, "regressor": regressed}


@pytest.fixture(params=MAKERS)
def kind(request):
    """A kind of model."""
    return request.param


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A saved model of each kind."""
    rows = np.random.default_rng(0).random((130, 12), dtype=np.float32)
    return {kind: save(make(rows), tmp_path_factory.mktemp(kind)) for kind, make in MAKERS.items()}


@pytest.fixture
def saved(kind, originals, tmp_path):
    """The folder of a saved model of each kind, to be damaged."""
    return shutil.copytree(originals[kind], tmp_path / "model")


def outputs(model, rows):
    return model.encode(rows) if isinstance(model, StackedAutoencoder) else model.outputs(rows)


def tensors_of(model):
    """The tensors of a model by place, as NumPy has them."""
    state = torch.nn.ModuleList(model.layers).state_dict()
    return {name: tensor.numpy() for name, tensor in state.items()}


def weights_file(folder):
    (path,) = folder.glob("weights-*.safetensors")
    return path


def described(folder):
    return json.loads((folder / "model.json").read_text())


def describe(folder, description):
    """Put another description in place, with the checksum that belongs to it."""
    fields = {name: value for name, value in description.items() if name not in ("format", "checksum")}
    write_description(folder / "model.json", description.get("format"), fields)


def redescribe(folder, **changes):
    describe(folder, described(folder) | changes)


def replace_weights(folder, content):
    """Put other weights in place, with the checksum that belongs to them."""
    weights_file(folder).write_bytes(content)
    redescribe(folder, sha256=hashlib.sha256(content).hexdigest())


def refused(kind, folder, why=None):
    """Refuse the model by a message that names the file."""
    with pytest.raises(StackedError, match=why) as caught:
        LOADERS[kind](folder)
    assert str(folder) in str(caught.value)


# There and back


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kind_of_layer_comes_back_to_the_last_bit(settings, rows, tmp_path, dtype):
    stack = trained(rows, [settings], seed=4, dtype=dtype)
    loaded = load_stack(save(stack, tmp_path))
    assert loaded.settings == stack.settings
    assert loaded.encode(rows).tobytes() == stack.encode(rows).tobytes()
    assert loaded.reconstruct(rows).tobytes() == stack.reconstruct(rows).tobytes()
    for name, tensor in tensors_of(stack).items():
        assert tensors_of(loaded)[name].tobytes() == tensor.tobytes()


def test_every_layer_of_a_stack_comes_back(rows, tmp_path):
    stack = trained(rows, [Plain(9), Denoising(7), Sparse(5)])
    loaded = load_stack(save(stack, tmp_path))
    assert len(loaded.layers) == 3
    for depth in (1, 2, 3):
        assert np.array_equal(loaded.encode(rows, depth), stack.encode(rows, depth))


def test_all_that_a_stack_knows_survives(rows, tmp_path):
    configs = [CONFIG, TrainingConfig(1, None)]
    stack = StackedAutoencoder([Plain(7), Sparse(5)], configs, seed=9, dtype="float64").fit(rows, progress=False)
    loaded = load_stack(save(stack, tmp_path))
    assert loaded.settings == stack.settings
    assert loaded.training == tuple(configs)
    assert loaded.dtype == torch.float64
    assert loaded.randomness.seed == 9
    assert loaded.n_inputs == 12
    assert [history.records for history in loaded.histories] == [history.records for history in stack.histories]
    assert loaded.histories[0]["validation_loss"] == stack.histories[0]["validation_loss"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_classifier_comes_back_to_the_last_bit(rows, tmp_path, dtype):
    classifier = tuned(rows, dtype=dtype)
    loaded = load_classifier(save(classifier, tmp_path))
    assert loaded.outputs(rows).tobytes() == classifier.outputs(rows).tobytes()
    assert loaded.predict_proba(rows).tobytes() == classifier.predict_proba(rows).tobytes()


@pytest.mark.parametrize("freeze", [False, True])
def test_all_that_a_classifier_knows_survives(rows, tmp_path, freeze):
    made = FeedforwardClassifier.from_stack(trained(rows), 3, freeze=freeze, seed=7, dropout=0.2, output="sigmoid")
    made.fit(rows, LABELS, CONFIG, progress=False)
    loaded = load_classifier(save(made, tmp_path))
    assert loaded.settings == made.settings
    assert loaded.n_frozen == made.n_frozen == (2 if freeze else 0)
    assert loaded.randomness.seed == 7
    assert loaded.history.records == made.history.records


def test_an_untrained_classifier_comes_back(rows, tmp_path):
    classifier = FeedforwardClassifier((12, 4, 3))
    loaded = load_classifier(save(classifier, tmp_path))
    assert np.array_equal(loaded.outputs(rows), classifier.outputs(rows))
    assert len(loaded.history) == 0


def test_a_loaded_model_trains_on_as_the_saved_one_does(kind, rows, tmp_path):
    model = MAKERS[kind](rows, seed=2)
    loaded = LOADERS[kind](save(model, tmp_path))
    for each in (model, loaded):
        data = {"stack": [], "classifier": [LABELS, CONFIG], "regressor": [rows[:, :2], CONFIG]}[kind]
        each.fit(rows, *data, progress=False)
    assert np.array_equal(outputs(loaded, rows), outputs(model, rows))


def test_a_classifier_of_a_loaded_stack_is_that_of_the_saved(rows, tmp_path):
    stack = trained(rows)
    classifiers = [
        FeedforwardClassifier.from_stack(each, 3).fit(rows, LABELS, CONFIG, progress=False)
        for each in (stack, load_stack(save(stack, tmp_path)))
    ]
    assert np.array_equal(*(classifier.outputs(rows) for classifier in classifiers))


@pytest.mark.parametrize("layer", [Plain(np.int64(7)), Plain(7, weight_decay=np.float32(0.25))], ids=["int", "float"])
def test_settings_may_hold_numbers_of_numpy(rows, tmp_path, layer):
    stack = trained(rows, [layer])
    assert np.array_equal(load_stack(save(stack, tmp_path)).encode(rows), stack.encode(rows))


def test_random_numbers_of_another_source_are_saved_without_a_seed(rows, tmp_path):
    class Mine(Randomness):
        def stream(self, *purpose, device="cpu"):
            return Seeded(1).stream("mine", *purpose, device=device)

    stack = trained(rows, seed=Mine())
    assert np.array_equal(load_stack(save(stack, tmp_path)).encode(rows), stack.encode(rows))
    assert described(tmp_path)["seed"] is None


# The files


def test_saving_returns_the_folder(kind, rows, tmp_path):
    assert save(MAKERS[kind](rows), str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"


def test_the_folder_holds_three_files(saved):
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "model_card.md", weights_file(saved).name]


def test_the_weights_are_read_by_safetensors_itself(kind, rows, tmp_path):
    model = MAKERS[kind](rows)
    stored = safetensors.numpy.load_file(weights_file(save(model, tmp_path)))
    expected = tensors_of(model)
    assert stored.keys() == expected.keys()
    for name, tensor in expected.items():
        assert np.array_equal(stored[name], tensor)
        assert stored[name].dtype == tensor.dtype


def test_the_description_names_the_weights_and_their_checksum(kind, saved):
    description = described(saved)
    assert description["kind"] == kind
    assert description["format"] == 4
    assert description["weights"] == weights_file(saved).name
    assert description["sha256"] == hashlib.sha256(weights_file(saved).read_bytes()).hexdigest()


def test_saving_over_an_earlier_model_leaves_exactly_one_weights_file(kind, rows, tmp_path):
    for seed in (0, 1, 1, 2):
        model = MAKERS[kind](rows, seed=seed)
        save(model, tmp_path)
        assert len(list(tmp_path.iterdir())) == 3
        assert np.array_equal(outputs(LOADERS[kind](tmp_path), rows), outputs(model, rows))


def test_a_model_may_be_saved_over_one_of_the_other_kind(rows, tmp_path):
    save(trained(rows), tmp_path)
    save(tuned(rows), tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    load_classifier(tmp_path)


def test_saving_leaves_files_of_others(kind, rows, tmp_path):
    (tmp_path / "README.md").write_bytes(b"mine")
    for seed in (0, 1):
        save(MAKERS[kind](rows, seed=seed), tmp_path)
    assert (tmp_path / "README.md").read_bytes() == b"mine"


def test_a_folder_may_be_moved(kind, rows, tmp_path):
    model = MAKERS[kind](rows)
    moved = save(model, tmp_path / "here").rename(tmp_path / "there")
    assert np.array_equal(outputs(LOADERS[kind](moved), rows), outputs(model, rows))


def test_a_stack_that_was_not_trained_is_not_saved(tmp_path):
    with pytest.raises(StackedError, match="call fit"):
        save(StackedAutoencoder([Plain(3)]), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_folder_that_cannot_be_written_is_named(kind, rows, tmp_path):
    (tmp_path / "taken").write_bytes(b"mine")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(StackedError, match="name another folder") as caught:
            save(MAKERS[kind](rows), folder)
        assert str(folder) in str(caught.value)
    assert (tmp_path / "taken").read_bytes() == b"mine"


def test_figures_that_are_no_numbers_are_null_in_the_file_and_nan_when_read(rows, tmp_path):
    """An outlier among the validation rows makes their loss infinite; JSON has no word for it."""
    outlier = np.full((1, 12), 1e30, dtype=np.float32)
    stack = StackedAutoencoder([Plain(3, output="linear")], TrainingConfig(2, 40)).fit(rows, validation=outlier)
    assert not np.isfinite(stack.histories[0]["validation_loss"]).any()
    save(stack, tmp_path)

    def refuse(constant):
        raise AssertionError(constant)

    stored = json.loads((tmp_path / "model.json").read_text(), parse_constant=refuse)
    assert [record["validation_loss"] for record in stored["histories"][0]] == [None, None]
    loaded = load_stack(tmp_path).histories[0]
    assert np.isnan(loaded["validation_loss"]).all()
    assert loaded["loss"] == stack.histories[0]["loss"]


# Damage


def test_a_missing_folder_is_named(kind, tmp_path):
    refused(kind, tmp_path / "nothing", "expected a saved model, but it cannot be read: No such file")


def test_a_file_in_the_place_of_the_folder_is_named(kind, tmp_path):
    (tmp_path / "model").write_bytes(b"mine")
    refused(kind, tmp_path / "model", "cannot be read")


@pytest.mark.parametrize("which", ["model.json", "weights"])
def test_a_missing_file_is_named(kind, saved, which):
    path = saved / "model.json" if which == "model.json" else weights_file(saved)
    path.unlink()
    refused(kind, saved, path.name)


def test_a_truncated_description_is_refused_at_every_length(kind, saved):
    whole = (saved / "model.json").read_bytes()
    for length in range(0, len(whole.rstrip()), 7):
        (saved / "model.json").write_bytes(whole[:length])
        refused(kind, saved, "model.json")


@pytest.mark.parametrize(
    "content",
    [b"[]", b"3", b"null", b'"text"', b"{}", b"\xff\xfe", b"<html>", b'{"format": 1}', b"[" * 100_000],
    ids=["list", "number", "null", "text", "nothing", "bytes", "html", "little", "nested"],
)
def test_a_foreign_description_is_refused(kind, saved, content):
    (saved / "model.json").write_bytes(content)
    refused(kind, saved, "model.json: expected a saved model")


@pytest.mark.parametrize("found", [0, 1, "2", None, [1], True, 2.0])
def test_another_format_is_refused(kind, saved, found):
    redescribe(saved, format=found)
    refused(
        kind,
        saved,
        "expected a saved model of format 4, received .*; load it with the version of stacked that wrote it",
    )


@pytest.mark.parametrize("found", [5, 10**400])
def test_a_newer_format_is_refused_with_the_reason(kind, saved, found):
    redescribe(saved, format=found)
    refused(
        kind,
        saved,
        "expected a saved model of format 4, the newest that this version of stacked knows, .*; update stacked$",
    )


@pytest.mark.parametrize("surplus", [{"colour": "red"}, {"n_units": 3}, {"": None}])
def test_an_unknown_field_is_refused_by_its_name(kind, saved, surplus):
    redescribe(saved, **surplus)
    (name,) = surplus
    refused(kind, saved, rf"received unknown \['{name}'\] and missing \[\]")


def test_a_field_that_was_changed_by_hand_is_refused(kind, saved):
    path = saved / "model.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    refused(kind, saved, "expected a saved model as it was written, but its checksum is another; restore it")


def test_a_description_that_is_laid_out_anew_is_the_same(kind, saved):
    description = described(saved)
    (saved / "model.json").write_text(json.dumps(description, indent=None, separators=(",", ":")))
    LOADERS[kind](saved)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('"seed": 0, "seed": 0', "the name 'seed' occurs twice"),
        ('"seed": NaN', "NaN is no number"),
        ('"seed": -Infinity', "-Infinity is no number"),
        ('"seed": 1e999', "1e999 is beyond every float"),
        ('"seed": ' + "9" * 5000, "Exceeds the limit"),
        ('"seed": ' + "[" * 100_000, "nested too deep"),
        ('"seed": "\\ud800"', "checksum is another"),
        ('"seed": "\0"', "Invalid control character"),
    ],
    ids=["twice", "nan", "infinity", "large", "long", "deep", "surrogate", "control"],
)
def test_json_that_no_version_wrote_is_refused(kind, saved, text, why):
    path = saved / "model.json"
    path.write_text(path.read_text().replace('"seed": 0', text))
    refused(kind, saved, why)


@pytest.mark.parametrize("what", ["pipe", "device", "folder", "sparse"])
@pytest.mark.parametrize("which", ["model.json", "weights"])
def test_what_is_no_plain_file_of_the_right_size_is_not_read(kind, saved, which, what):
    path = saved / "model.json" if which == "model.json" else weights_file(saved)
    path.unlink()
    if what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path.symlink_to("/dev/zero")
    elif what == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(2**42)
    reason = {"sparse": "It has 4398046511104 bytes", "folder": "Is a directory"}.get(what, "Not a plain file")
    refused(kind, saved, f"cannot be read: {reason}")


def test_a_history_of_other_things_is_not_saved(rows, tmp_path):
    stack = trained(rows)
    stack.histories[0].records[0]["note"] = "good"
    with pytest.raises(StackedError, match=r"history, figure 'note': expected a number, received 'good'; keep"):
        save(stack, tmp_path / "model")


def test_a_model_of_the_other_kind_is_refused_with_the_remedy(kind, saved):
    other = {"stack": "classifier", "classifier": "regressor", "regressor": "stack"}[kind]
    refused(other, saved, f"expected a {other}, received a {kind}; load it with load_{kind}")


@pytest.mark.parametrize("found", ["tree", None, 3])
def test_a_model_of_no_kind_is_refused(kind, saved, found):
    redescribe(saved, kind=found)
    refused(kind, saved, "expected one of stack, classifier, regressor")


FIELDS = {
    "stack": [
        *("format", "kind", "n_inputs", "layers", "training", "histories", "fine_tuning", "dtype", "seed", "weights"),
        *("sha256", "scaling", "provenance"),
    ],
    "classifier": [
        *("format", "kind", "settings", "n_frozen", "history", "dtype", "seed", "weights", "sha256"),
        *("scaling", "provenance", "target_scaling"),
    ],
}
FIELDS["regressor"] = FIELDS["classifier"]
EACH_FIELD = [(kind, field) for kind, fields in FIELDS.items() for field in fields]


@pytest.mark.parametrize(("kind", "field"), EACH_FIELD)
def test_a_missing_field_is_refused(kind, saved, field):
    description = described(saved)
    assert {*FIELDS[kind], "checksum"} == set(description)
    del description[field]
    describe(saved, description)
    refused(kind, saved, "model.json")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        *[("stack", "n_inputs", value) for value in (0, -1, 5, 1.5, "12", None, [], 10**15, 10**30)],
        *[("stack", "layers", value) for value in (None, 3, "x", [], {}, [3], [{}], [{"is": "Nothing"}])],
        *[("stack", "training", value) for value in (None, 3, [], {}, [{}], [{"is": "Plain"}])],
        *[("stack", "histories", value) for value in (None, 3, [], [3, 4], ["a", "b"], {})],
        *[("classifier", "settings", value) for value in (None, 3, "x", [], {}, {"is": "Nothing"}, {"is": "Plain"})],
        *[("classifier", "n_frozen", value) for value in (-1, 4, 1.5, "1", None, [])],
        *[("classifier", "history", value) for value in (None, 3, "x", {}, [3])],
        *[(kind, "dtype", value) for kind in LOADERS for value in ("float16", "float64", None, 32, [], {})],
        *[(kind, "seed", value) for kind in LOADERS for value in (-1, 1.5, "x", [1], {"a": 1})],
        *[(kind, "sha256", value) for kind in LOADERS for value in ("0" * 64, None, 3, [])],
        *[(kind, "weights", value) for kind in LOADERS for value in ("x", "", "..", None, 3, [], "\0", "a" * 5000)],
    ],
)
def test_a_field_of_a_wrong_value_is_refused(kind, saved, field, value):
    redescribe(saved, **{field: value})
    refused(kind, saved)


@pytest.mark.parametrize(("kind", "path"), [("stack", ("layers", 0)), ("classifier", ("settings",))])
@pytest.mark.parametrize("change", [{"colour": "red"}, {"activation": "cubic"}, {"weight_decay": -1}, {"is": "Adam"}])
def test_settings_that_no_version_wrote_are_refused(kind, saved, path, change):
    description = described(saved)
    inner = description
    for step in path:
        inner = inner[step]
    inner.update(change if kind == "stack" or "activation" not in change else {"activations": ["cubic", "relu"]})
    describe(saved, description)
    refused(kind, saved)


@pytest.mark.parametrize("size", [10**4, 10**12, 10**30, 10**400])
@pytest.mark.parametrize("settings", [Variational(5, hidden=6), Sparse(5, penalty=TopK(2, 3, 1.0))], ids=["v", "k"])
def test_sizes_that_no_memory_holds_are_refused(settings, size, rows, tmp_path):
    save(trained(rows, [settings]), tmp_path)
    layer = described(tmp_path)["layers"][0]
    penalty = layer.get("penalty", {}) | {"initial_k": size}
    changes = {"hidden": size} if "hidden" in layer else {"n_units": size, "penalty": penalty}
    redescribe(tmp_path, layers=[layer | changes])
    refused("stack", tmp_path)


def test_weights_outside_the_folder_are_not_read(kind, saved, tmp_path):
    content = weights_file(saved).read_bytes()
    weights_file(saved).unlink()
    for name in ("../elsewhere", str(tmp_path / "elsewhere")):
        (tmp_path / "elsewhere").write_bytes(content)
        redescribe(saved, weights=name)
        refused(kind, saved, "weights of the model")


def test_a_flipped_bit_anywhere_in_the_weights_is_refused(kind, saved):
    path = weights_file(saved)
    whole = path.read_bytes()
    for place in [*range(0, len(whole), 41), len(whole) - 1]:
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        refused(kind, saved, f"{path.name}: its SHA-256 is not the one in model.json")


@pytest.mark.parametrize("length", [0, 1, 8, 100, -1])
def test_truncated_weights_are_refused(kind, saved, length):
    path = weights_file(saved)
    path.write_bytes(path.read_bytes()[:length])
    refused(kind, saved, "its SHA-256 is not the one")


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 100, b"\xff" * 100, b"PK\3\4" + b"\0" * 100], ids=repr)
def test_weights_in_another_form_are_refused_although_their_checksum_fits(kind, saved, content):
    replace_weights(saved, content)
    refused(kind, saved, "expected a safetensors file")


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, name: tensors.update({name: tensors[name][:-1]}),
        lambda tensors, name: tensors.update({name: tensors[name].T.copy()}),
        lambda tensors, name: tensors.update({name: tensors[name].reshape(-1)}),
        lambda tensors, name: tensors.update({name: tensors[name].astype("f8")}),
        lambda tensors, name: tensors.update({name: tensors[name].astype("i4")}),
        lambda tensors, name: tensors.pop(name),
        lambda tensors, name: tensors.update(more=tensors[name]),
        lambda tensors, name: tensors.clear(),
    ],
    ids=["fewer", "transposed", "flat", "dtype", "integer", "missing", "surplus", "none"],
)
def test_a_tensor_that_does_not_fit_the_settings_is_refused(kind, saved, change):
    tensors = safetensors.numpy.load_file(weights_file(saved))
    change(tensors, "0.encoder.weight" if kind == "stack" else "0.weight")
    replace_weights(saved, safetensors.numpy.save(tensors))
    refused(kind, saved, "tensor '")


def test_the_message_about_a_tensor_names_it_and_both_shapes():
    with pytest.raises(StackedError, match=r"tensor 'w': expected .*\(2, 3\).*, received .*\(3, 2\)"):
        check_tensors({"w": torch.zeros(3, 2)}, {"w": torch.zeros(2, 3)})


def test_tensors_that_fit_pass():
    check_tensors({"w": torch.ones(2, 3)}, {"w": torch.zeros(2, 3)})


@pytest.mark.parametrize("device", ["gpu", "meta"])
def test_a_device_that_is_not_there_is_refused_and_the_file_not_blamed(kind, saved, device):
    with pytest.raises(StackedError, match=r"^device: expected"):
        LOADERS[kind](saved, device=device)


# Nothing is unpickled


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("form", ["pickle", "torch"])
@pytest.mark.parametrize("place", ["weights", "description"])
def test_a_harmful_file_is_refused_and_does_no_harm(kind, saved, tmp_path, form, place):
    marker, harmful = tmp_path / "marker", tmp_path / "harmful"
    payload = {"0.encoder.weight": Payload(marker)}
    harmful.write_bytes(pickle.dumps(payload)) if form == "pickle" else torch.save(payload, harmful)
    if place == "weights":
        replace_weights(saved, harmful.read_bytes())
    else:
        (saved / "model.json").write_bytes(harmful.read_bytes())
    refused(kind, saved)
    assert not marker.exists()
    pickle.loads(harmful.read_bytes()) if form == "pickle" else torch.load(harmful, weights_only=False)
    assert marker.exists()  # the payload would have worked


def test_loading_works_where_pickle_cannot(kind, saved, rows, tmp_path):
    np.save(tmp_path / "rows.npy", rows)
    loader, method = f"load_{kind}", "encode" if kind == "stack" else "outputs"
    program = f"""
import pickle, sys
import numpy as np
from stacked import {loader}

def refuse(*args, **kwargs):
    raise SystemExit("something was unpickled")

rows = np.load(sys.argv[2])
pickle.load = pickle.loads = pickle.Unpickler = pickle._Unpickler = refuse
model = {loader}(sys.argv[1])
np.save(sys.argv[3], model.{method}(rows))
"""
    command = [sys.executable, "-c", program, saved, tmp_path / "rows.npy", tmp_path / "made.npy"]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1])
    assert np.array_equal(np.load(tmp_path / "made.npy"), outputs(LOADERS[kind](saved), rows))


# Files that are whole or not there


def test_a_file_is_written(tmp_path):
    write_atomically(tmp_path / "a", b"content")
    assert (tmp_path / "a").read_bytes() == b"content"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_is_replaced(tmp_path):
    for content in (b"a long first content", b"new"):
        write_atomically(tmp_path / "a", content)
        assert (tmp_path / "a").read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


def test_a_reader_of_the_old_file_keeps_it(tmp_path):
    write_atomically(tmp_path / "a", b"old")
    with (tmp_path / "a").open("rb") as reader:
        write_atomically(tmp_path / "a", b"new")
        assert reader.read() == b"old"


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    write_atomically(tmp_path / "a", b"old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "a", "no bytes")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failure_while_renaming_leaves_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "a", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize("folder", ["nothing", "file"])
def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path, folder):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(OSError, match=r"No such file|Not a directory"):
        write_atomically(tmp_path / folder / "a", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# Saves at once, and killed ones

KILLED = """
import os, sys
from stacked import Plain, StackedAutoencoder, files, model_files, save

def die(*arguments):
    os.kill(os.getpid(), 9)

folder, module, step = sys.argv[1:]
setattr(sys.modules[f"stacked.{module}"], step, die)
save(StackedAutoencoder([Plain(3)], seed=7).draw(12), folder)
"""


@pytest.mark.parametrize(("module", "step"), [("files", "_flush_names"), ("model_files", "write_atomically")])
def test_what_a_killed_save_leaves_is_no_hindrance_and_is_removed_by_the_next(tmp_path, module, step):
    stack = StackedAutoencoder([Plain(4)]).draw(12)
    save(stack, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path, module, step], check=False)
    assert killed.returncode == -9
    assert sorted(tmp_path.rglob("*")) != before
    load_stack(tmp_path)
    save(stack, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_models_may_be_saved_to_one_folder_all_at_once(tmp_path):
    stacks = [StackedAutoencoder([Plain(4)], seed=seed).draw(12) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda stack: save(stack, tmp_path), stacks * 10):
            pass
    load_stack(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
