"""Exports: each runtime computes what the model does; what deviates, or cannot be written, leaves nothing."""

import copy
import resource
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import KINDS
from typer.testing import CliRunner

from stacked import (
    ClassifierSettings,
    CodeCache,
    FeedforwardClassifier,
    FeedforwardRegressor,
    Plain,
    Scaling,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TopK,
    TrainingConfig,
    save,
)
from stacked.checkpoint import load
from stacked.cli import app
from stacked.exports import FORMATS, export, exported
from stacked.exports.checked import checked_deviation
from stacked.exports.onnx_file import MOST_BYTES
from stacked.exports.subject import Subject

CLOSE = {"float32": 2e-6, "float64": 1e-12}
ROWS = np.random.default_rng(1).standard_normal((57, 12))
ALL = [
    Plain(9, activation="scaled_tanh", output="linear"),
    *(KINDS[name] for name in ("sparse-top-k", "variational")),
]


def drawn(*layers, **options):
    """A stack whose weights and biases are random."""
    stack = StackedAutoencoder(layers or ALL, seed=3, **options).draw(12)
    stream = torch.Generator().manual_seed(0)
    for layer in stack.encoder_layers:
        layer.bias.data.normal_(generator=stream)
    return stack


def classifier(output="softmax", dtype="float32"):
    activations = ("sigmoid", "relu", "tanh", "scaled_tanh", "linear", "relu_top_3")
    return FeedforwardClassifier(
        ClassifierSettings((12, *[7] * 6, 4), activations, output=output), seed=5, dtype=dtype
    )


def by_onnx(path, rows):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"rows": rows})
    return result


def by_torchscript(path, rows):
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(str(path))(torch.from_numpy(rows)).numpy()


def by_torch_export(path, rows):
    with torch.no_grad():
        return torch.export.load(str(path)).module()(torch.from_numpy(rows)).numpy()


def by_numpy(path, rows):
    """By the code in the archive."""
    code = {}
    with zipfile.ZipFile(path) as archive:
        exec(archive.read("encode.py"), code)
    with np.load(path, allow_pickle=False) as arrays:
        return code["encode"](arrays, rows)


READERS = {"onnx": by_onnx, "torchscript": by_torchscript, "torch-export": by_torch_export, "numpy": by_numpy}


@pytest.fixture(params=READERS)
def form(request):
    """A format."""
    return request.param


@pytest.fixture(params=CLOSE)
def dtype(request):
    """float32 and float64."""
    return request.param


def agrees(path, form, rows, expected, dtype=None):
    """Together, alone and twice over."""
    dtype = expected.dtype if dtype is None else np.dtype(dtype)
    rows = rows.astype(dtype)
    for x, codes in ((rows, expected), (rows[:1], expected[:1]), (np.tile(rows, (2, 1)), np.tile(expected, (2, 1)))):
        made = READERS[form](path, x)
        assert made.dtype == expected.dtype
        np.testing.assert_allclose(made, codes, rtol=0, atol=CLOSE[dtype.name] * np.abs(expected).max())


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# What is read is what was written


def test_a_stack_of_all_sorts_and_every_depth(tmp_path, form, dtype):
    stack = drawn(dtype=dtype)
    for depth in (1, None):
        path = export(stack, tmp_path / "encoder", form, depth)
        assert path == tmp_path / "encoder"
        agrees(path, form, ROWS, stack.encode(ROWS, depth))
    assert names_in(tmp_path) == ["encoder"]


@pytest.mark.parametrize("fast", ["onnx", "torchscript", "numpy"])
def test_every_kind_of_layer(tmp_path, settings, fast):
    stack = drawn(settings)
    agrees(export(stack, tmp_path / "encoder", fast), fast, ROWS, stack.encode(ROWS))


@pytest.mark.parametrize(("output", "dtype"), [("softmax", "float32"), ("sigmoid", "float64")])
def test_classifiers(tmp_path, form, output, dtype):
    model = classifier(output, dtype)
    agrees(export(model, tmp_path / "classifier", form), form, ROWS, model.outputs(ROWS))


def test_regressors_predict_in_the_units_of_their_targets(tmp_path, form, dtype):
    model = FeedforwardRegressor((12, 7, 2), dtype=dtype, scaling="standard")
    model.fit(ROWS, ROWS[:, :2] * [1, 500] + 1000, TrainingConfig(epochs=1, batch_size=20))
    agrees(export(model, tmp_path / "regressor", form), form, ROWS, model.predict(ROWS.astype(dtype)), dtype)


def test_targets_far_from_0_keep_their_digits(tmp_path, form):
    """Seconds since 1970: in float32, neighbours are 128 apart."""
    model = FeedforwardRegressor((12, 7, 1))
    model.fit(ROWS, ROWS[:, 0] + 1.7e9, TrainingConfig(epochs=1, batch_size=20))
    path = export(model, tmp_path / "regressor", form)
    predicted = READERS[form](path, ROWS.astype("f4"))[:, 0] - 1.7e9
    assert predicted == pytest.approx(model.predict(ROWS.astype("f4")) - 1.7e9, abs=1e-5)
    assert len(set(predicted)) == len(ROWS)


def scaled(stack):
    stack.scaling = Scaling("standard", np.linspace(-50.5, 30.25, 12), np.linspace(0.1, 7, 12))
    return stack


def test_scaling_is_part_of_it(tmp_path, form, dtype):
    stack = scaled(drawn(dtype=dtype))
    far = (ROWS * stack.scaling.scale + stack.scaling.shift).astype(dtype)
    agrees(export(stack, tmp_path / "encoder", form), form, far, stack.encode(far))


@pytest.mark.parametrize("form", ["torchscript", "numpy"])
def test_float64_rows_are_scaled_in_float64_where_the_format_takes_them(tmp_path, form):
    stack = scaled(drawn(Plain(7)))
    far = ROWS * stack.scaling.scale + stack.scaling.shift
    codes = READERS[form](export(stack, tmp_path / "encoder", form), far)
    assert codes.dtype == np.float32
    expected = drawn(Plain(7)).encode((far - stack.scaling.shift) / stack.scaling.scale)
    np.testing.assert_allclose(codes, expected, rtol=0, atol=1e-6)


def test_the_onnx_file_is_of_the_promised_version_and_whole(tmp_path):
    model = onnx.load(export(drawn(), tmp_path / "encoder.onnx", "onnx"), load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
    assert (model.ir_version, model.producer_name) == (8, "stacked")
    ends = [*model.graph.input, *model.graph.output]
    shapes = [[size.dim_param or size.dim_value for size in end.type.tensor_type.shape.dim] for end in ends]
    assert dict(zip([end.name for end in ends], shapes, strict=True)) == {"rows": ["n", 12], "codes": ["n", 3]}
    assert all(tensor.raw_data for tensor in model.graph.initializer)
    assert onnx.load(export(classifier(), tmp_path / "c.onnx", "onnx")).graph.output[0].name == "outputs"


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["stacked"] = None
sys.path.insert(0, "encoder.npz")
import numpy as np
from encode import encode
with np.load("encoder.npz") as arrays:
    np.save("codes.npy", encode(arrays, np.load("rows.npy")))
assert not [name for name in sys.modules if name.partition(".")[0] in ("torch", "stacked") and sys.modules[name]]
"""


def test_numpy_alone_encodes(tmp_path):
    stack = drawn()
    export(stack, tmp_path / "encoder.npz", "numpy")
    np.save(tmp_path / "rows.npy", ROWS)
    subprocess.run([sys.executable, "-W", "error", "-c", WITHOUT_TORCH], cwd=tmp_path, check=True, timeout=100)
    codes = np.load(tmp_path / "codes.npy")
    np.testing.assert_allclose(codes, stack.encode(ROWS), rtol=0, atol=2e-6 * np.abs(codes).max())


def test_the_archive_names_what_is_in_it(tmp_path):
    with np.load(export(scaled(drawn()), tmp_path / "encoder.npz", "numpy"), allow_pickle=False) as arrays:
        layers = [f"layer_{number}_{part}" for number in (1, 2, 3, 4) for part in ("weight", "bias")]
        assert set(arrays) == {"functions", *layers, "shift", "scale", "encode.py"}
        assert arrays["functions"].tolist() == ["scaled_tanh", "relu_top_2", "relu", "linear"]
        assert arrays["shift"].dtype == np.float64


def test_a_cache_is_not_filled_with_the_codes_of_samples(tmp_path):
    stack = drawn(cache=CodeCache(tmp_path / "codes"))
    export(stack, tmp_path / "encoder", "numpy")
    assert list((tmp_path / "codes").glob("*.h5")) == []


# The check


def changed(model):
    """The same model but for one bias."""
    other = copy.deepcopy(model)
    layer = other.layers[0] if isinstance(other, FeedforwardClassifier) else other.encoder_layers[0]
    layer.bias.data[0] += 1e-3
    return other


@pytest.mark.parametrize("model", [drawn(), classifier()], ids=["stack", "classifier"])
def test_a_writer_that_writes_something_else_is_caught(tmp_path, monkeypatch, form, model):
    right, other = FORMATS[form], Subject(changed(model))
    monkeypatch.setitem(FORMATS, form, right._replace(content_of=lambda subject: right.content_of(other)))
    path = tmp_path / "encoder"
    for before in ([], ["encoder"]):
        with pytest.raises(
            StackedError, match=rf"{path}: expected \w+ of the model, within 1e-06 of the largest, rec"
        ):
            export(model, path, form)
        assert names_in(tmp_path) == before
        path.write_text("mine")
    assert path.read_text() == "mine"


def test_weights_that_are_no_numbers_are_caught(tmp_path, form):
    stack = drawn(Plain(7))
    stack.encoder_layers[0].bias.data[0] = torch.nan
    with pytest.raises(StackedError, match="received a deviation of nan; check that the weights are finite"):
        export(stack, tmp_path / "encoder", form)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("wrong", [lambda a: a[:, :2], lambda a: a.astype("f8"), lambda a: a + 1e-5 * a.max()])
def test_shape_dtype_and_values_must_be_those_of_the_model(wrong):
    subject = Subject(drawn())
    with pytest.raises(StackedError, match="encoder: expected codes of the model, "):
        checked_deviation(subject, lambda rows: wrong(subject.reference(rows)), Path("encoder"))


def test_one_row_alone_is_tried_too():
    subject = Subject(drawn())
    with pytest.raises(StackedError, match="a deviation of"):
        checked_deviation(subject, lambda rows: subject.reference(rows) + (len(rows) == 1), Path("encoder"))


def test_float64_is_held_to_its_own_precision():
    subject = Subject(drawn(dtype="float64"))
    with pytest.raises(StackedError, match="within 1e-12 of the largest"):
        checked_deviation(subject, lambda rows: subject.reference(rows).astype("f4").astype("f8"), Path("encoder"))


def test_what_rounding_does_to_the_model_itself_is_no_mistake(tmp_path):
    """Steep layers on top of each other make much of the last bits, whose order of summation is the runtime's."""
    stack = drawn(*[Plain(200, activation="tanh", output="linear")] * 4)
    for layer in stack.encoder_layers:
        layer.weight.data *= 3
    double = StackedAutoencoder(stack.settings, dtype="float64").draw(12)
    for mine, theirs in zip(double.encoder_layers, stack.encoder_layers, strict=True):
        mine.load_state_dict({name: tensor.double() for name, tensor in theirs.state_dict().items()})
    assert np.abs(double.encode(ROWS.astype("f4")) - stack.encode(ROWS.astype("f4"))).max() > 1e-6
    export(stack, tmp_path / "encoder", "onnx")


def test_rows_whose_largest_units_rounding_decides_are_left_out():
    stack = drawn(Sparse(6, penalty=TopK(3), activation="relu"))
    (layer,) = stack.encoder_layers
    layer.weight.data[1] = layer.weight.data[0]
    layer.bias.data[:2] = 1
    rows = Subject(stack).sample()
    sums = np.sort(np.maximum(rows @ layer.weight.detach().numpy().T + layer.bias.detach().numpy(), 0))
    assert 100 < len(rows) < 300
    assert ((sums[:, -3] > sums[:, -4]) | (sums[:, -3] == 0)).all()


def test_a_model_without_such_rows_is_refused(tmp_path):
    stack = drawn(Sparse(6, penalty=TopK(3)))
    stack.encoder_layers[0].weight.data.zero_()
    stack.encoder_layers[0].bias.data.zero_()
    with pytest.raises(
        StackedError, match="expected rows that tell which units are the largest, received none among"
    ):
        export(stack, tmp_path / "encoder", "numpy")


# What cannot be had


def test_an_unknown_format_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(
        StackedError, match="format: expected one of 'onnx', 'torchscript', 'torch-export', 'numpy', re"
    ):
        export(drawn(), tmp_path / "encoder", "keras")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_what_installs_it(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(StackedError, match=rf'the package {package}, .*; run pip install "stacked\[onnx\]"$'):
        export(drawn(), tmp_path / "encoder", "onnx")
    assert names_in(tmp_path) == []


def test_what_onnx_cannot_hold_in_one_piece_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("stacked.exports.onnx_file.MOST_BYTES", 100)
    with pytest.raises(
        StackedError, match=r"the weights: expected less than 2 GiB for ONNX, received .* torch-export$"
    ):
        export(drawn(), tmp_path / "encoder", "onnx")
    assert MOST_BYTES < 2**31


@pytest.mark.parametrize("folder", ["none", "file", "/sys"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, folder):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(
        StackedError, match=rf"{folder}: encoder cannot be written there \(.*\); name another folder$"
    ):
        export(drawn(), tmp_path / folder / "encoder", "numpy")
    assert names_in(tmp_path) == ["file"]


def test_a_disk_without_room_leaves_nothing(tmp_path, form):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StackedError, match=r"encoder cannot be written there \(File too large\)"):
            export(drawn(), tmp_path / "encoder", form)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names_in(tmp_path) == []


# The command


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """The name of the folder of a stack, in the working directory."""
    monkeypatch.chdir(tmp_path)
    save(drawn(), "model")
    return "model"


def command(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_the_command_says_what_it_has_written(saved, form):
    ended = command(saved, "--format", form)
    made = exported(load(saved), "again", form)
    (path,) = Path().glob("model.*")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "rows (n, 12) -> codes (n, 3), float32",
        f"largest deviation from the model: {made.deviation:.1e}",
        f"written to {path}, {path.stat().st_size:,} bytes",
    ]
    agrees(path, form, ROWS, load(saved).encode(ROWS))


def test_the_help_names_every_format():
    told = command("--help").output
    assert [name for name in FORMATS if name not in told] == []


def test_a_classifier_depth_and_the_name_of_the_file(saved):
    save(classifier(), "classifier")
    assert command("classifier", "--format", "numpy", "--out", "a").stdout.startswith(
        "rows (n, 12) -> outputs (n, 4)"
    )
    agrees("a", "numpy", ROWS, classifier().outputs(ROWS))
    assert command(saved, "--format", "numpy", "--out", "b", "--depth", 1).exit_code == 0
    agrees("b", "numpy", ROWS, load(saved).encode(ROWS, 1))


@pytest.mark.parametrize(
    ("named", "file"), [("model/", "model.npz"), (".", "model.npz"), ("../model/.", "model.npz")]
)
def test_without_a_name_the_file_lies_beside_the_folder(saved, tmp_path, monkeypatch, named, file):
    monkeypatch.chdir(tmp_path / ("" if named == "model/" else "model"))
    assert command(named, "--format", "numpy").exit_code == 0
    assert names_in(tmp_path) == ["model", file]


def test_a_file_is_replaced_only_when_told_so(saved):
    Path("out").write_text("mine")
    ended = command("no such model", "--format", "numpy", "--out", "out")
    expected = "expected a name that is free, received a file that is there; choose another, or pass --overwrite"
    assert (ended.exit_code, ended.stderr) == (2, f"error: out: {expected}\n")
    assert Path("out").read_text() == "mine"
    assert command(saved, "--format", "numpy", "--out", "out", "--overwrite").exit_code == 0
    agrees("out", "numpy", ROWS, load(saved).encode(ROWS))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["none", "--format", "numpy"],
            "none/model.json: expected a saved model, but it cannot be read: No such file",
        ),
        (
            ["model", "--format", "keras"],
            "--format: expected one of 'onnx', 'torchscript', 'torch-export', 'numpy', re",
        ),
        (
            ["model", "--format", "numpy", "--depth", "4"],
            "--depth: expected at most 3, the layers there are, received 4",
        ),
        (
            ["model", "--format", "numpy", "--out", "no/x"],
            "no: x cannot be written there (No such file or directory);",
        ),
    ],
)
def test_bad_input_is_one_line(saved, tmp_path, arguments, told):
    ended = command(*arguments)
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith(f"error: {told}")
    assert names_in(tmp_path) == ["model"]


# Loading


def test_whatever_was_saved_is_loaded(tmp_path):
    stack, model = drawn(), classifier()
    np.testing.assert_array_equal(load(save(stack, tmp_path / "stack")).encode(ROWS), stack.encode(ROWS))
    np.testing.assert_array_equal(load(save(model, tmp_path / "model")).outputs(ROWS), model.outputs(ROWS))
    with pytest.raises(StackedError, match=r"none/model.json: expected a saved model, but it cannot be read"):
        load(tmp_path / "none")


BARE = """
import sys
for name in ("sklearn", "matplotlib", "scipy", "joblib", "rich", "typer", "onnx"):
    sys.modules[name] = None
import numpy as np
from stacked.checkpoint import load
np.save("codes.npy", load("stack").encode(np.load("rows.npy")))
np.save("outputs.npy", load("model").outputs(np.load("rows.npy")))
"""


def test_saved_models_compute_where_other_libraries_cannot_be_imported(tmp_path):
    stack, model = drawn(), classifier()
    save(stack, tmp_path / "stack")
    save(model, tmp_path / "model")
    np.save(tmp_path / "rows.npy", ROWS)
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n{BARE}"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=100)
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), stack.encode(ROWS))
    np.testing.assert_array_equal(np.load(tmp_path / "outputs.npy"), model.outputs(ROWS))
