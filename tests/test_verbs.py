"""The verbs that use models: on tables of every kind they do what the library does, bit for bit."""

import csv
import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import r2_score
from sklearn.preprocessing import MinMaxScaler
from typer.testing import CliRunner

from stacked import load, load_stack
from stacked.cli import app
from stacked.neighbours import nearest

CANCER, DIABETES = load_breast_cancer(), load_diabetes(scaled=False)
DIAGNOSIS = np.array(["malignant", "benign"])[CANCER.target]


def run(*arguments, code=0):
    finished = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert finished.exit_code == code, finished.output
    return finished.output if code else finished.stdout


def write_csv(path, names, *columns):
    with open(path, "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(names)
        lines.writerows(zip(*columns, strict=True))


def lines_of(text):
    return list(csv.reader(io.StringIO(text)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tables, an encoder, a classifier and a regressor, all made by the command."""
    folder = tmp_path_factory.mktemp("verbs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        names = [*CANCER.feature_names[:10], "diagnosis"]
        write_csv("t.csv", names, *CANCER.data[:400, :10].T, DIAGNOSIS[:400])
        write_csv("held_out.csv", ["id", *reversed(names)], range(169), DIAGNOSIS[400:], *CANCER.data[400:, 9::-1].T)
        names = [*DIABETES.feature_names, "progression"]
        write_csv("d.csv", names, *DIABETES.data.T, DIABETES.target)
        layers = ["--layers", "denoising:16:mask=0.2, denoising:8:mask=0.2", "--epochs", "5"]
        run("pretrain", "t.csv", "--labels", "diagnosis", *layers, "--out", "enc")
        run("pretrain", "d.csv", "--labels", "progression", *layers, "--out", "enc-d")
        run(
            "finetune",
            "enc",
            "t.csv",
            "--labels",
            "diagnosis",
            "--out",
            "clf",
            "--epochs",
            "30",
            "--learning-rate",
            "0.01",
        )
        run("finetune", "enc-d", "d.csv", "--out", "reg", "--epochs", "30", "--learning-rate", "0.01")
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.mark.usefixtures("here")
def test_codes_are_those_of_the_library_and_the_labels_are_left_out(tmp_path):
    told = run("encode", "enc", "t.csv", "--out", tmp_path / "codes.npy")
    assert told == f"400 rows of 8 columns written to {tmp_path / 'codes.npy'}\n"
    rows = CANCER.data[:400, :10]
    assert np.array_equal(np.load(tmp_path / "codes.npy"), load_stack("enc").encode(rows))


@pytest.mark.usefixtures("here")
def test_columns_are_found_by_name(tmp_path):
    """In another order, among others, and without the labels' column of training."""
    run("encode", "enc", "held_out.csv", "--out", tmp_path / "codes.npy")
    rows = CANCER.data[400:, :10]
    assert np.array_equal(np.load(tmp_path / "codes.npy"), load_stack("enc").encode(rows))


@pytest.mark.usefixtures("here")
def test_codes_go_into_every_format(tmp_path):
    for name in ("codes.npy", "codes.h5", "codes.csv"):
        run("encode", "enc", "t.csv", "--depth", "1", "--out", tmp_path / name)
    expected = np.load(tmp_path / "codes.npy")
    assert expected.shape == (400, 16)
    with h5py.File(tmp_path / "codes.h5") as file:
        assert np.array_equal(file["codes"][:], expected)
    head, *lines = lines_of((tmp_path / "codes.csv").read_text())
    assert head == [f"code {i}" for i in range(1, 17)]
    assert np.array_equal(np.array(lines, np.float32), expected)


@pytest.mark.usefixtures("here")
def test_reconstructions_have_the_names_and_units_of_the_rows(tmp_path):
    run("reconstruct", "enc", "t.csv", "--out", tmp_path / "rows.csv")
    head, *lines = lines_of((tmp_path / "rows.csv").read_text())
    assert head == list(CANCER.feature_names[:10])
    rows = CANCER.data[:400, :10]
    assert np.array_equal(np.array(lines, float), load_stack("enc").reconstruct(rows))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("verb", ["encode enc", "reconstruct enc", "predict clf"])
def test_the_rows_themselves_are_never_replaced(verb, tmp_path):
    copy = tmp_path / "rows.csv"
    copy.write_bytes(Path("t.csv").read_bytes())
    (tmp_path / "link.csv").symlink_to(copy)
    for out in (copy, tmp_path / "link.csv"):
        told = run(*verb.split(), copy, "--out", out, "--overwrite", code=2)
        assert f"--out: expected another file than that of the rows, received {out}; choose" in told
    assert copy.read_bytes() == Path("t.csv").read_bytes()


@pytest.mark.usefixtures("here")
def test_codes_of_a_classifier_are_its_hidden_outputs(tmp_path):
    run("encode", "clf", "t.csv", "--out", tmp_path / "codes.npy")
    rows = CANCER.data[:400, :10]
    assert np.array_equal(np.load(tmp_path / "codes.npy"), load("clf").hidden(rows))


@pytest.mark.usefixtures("here")
def test_predictions_are_the_classes_by_name():
    head, *lines = lines_of(run("predict", "clf", "held_out.csv"))
    assert head == ["predicted", "p(benign)", "p(malignant)"]
    shares = load("clf").predict_proba(CANCER.data[400:, :10])
    assert np.array([line[1:] for line in lines], float) == pytest.approx(shares, abs=1e-6)
    assert [line[0] for line in lines] == [("benign", "malignant")[k] for k in shares.argmax(axis=1)]


@pytest.mark.usefixtures("here")
def test_an_evaluation_says_what_predictions_say():
    told = run("evaluate", "clf", "held_out.csv")
    _, *lines = lines_of(run("predict", "clf", "held_out.csv"))
    wrong = sum(line[0] != name for line, name in zip(lines, DIAGNOSIS[400:], strict=True))
    assert told.startswith(f"error rate {wrong / 169:.2%} [")
    assert f"{wrong} of 169 rows wrong" in told
    assert wrong < 0.2 * 169


@pytest.mark.usefixtures("here")
def test_a_confusion_is_drawn_by_the_labels_that_are_remembered(tmp_path):
    named = drawn("confusion", "held_out.csv", tmp_path / "named.png", "--labels", "diagnosis")
    assert drawn("confusion", "held_out.csv", tmp_path / "remembered.png") == named


def drawn(kind, rows, out, *labels):
    run("plot", "clf", kind, rows, *labels, "--out", out)
    return out.read_bytes()


@pytest.mark.usefixtures("here")
def test_labels_that_lie_beside_the_training_rows_are_not_taken_for_those_of_others(tmp_path):
    inputs, classes = CANCER.data[:, :10], CANCER.target
    for name, part in {"tr": slice(0, 200), "te": slice(200, 400)}.items():
        np.save(tmp_path / f"{name}.npy", inputs[part])
        np.save(tmp_path / f"y-{name}.npy", classes[part])
    train, labels = tmp_path / "tr.npy", tmp_path / "y-tr.npy"
    layers = ["--layers", "denoising:8", "--epochs", "2"]
    run("pretrain", train, "--labels", labels, *layers, "--out", tmp_path / "enc")
    run("finetune", tmp_path / "enc", train, "--out", tmp_path / "clf", "--epochs", "2")  # the very table
    other = [tmp_path / "clf", tmp_path / "te.npy"]
    told = f"--labels: expected where the labels are, received nothing; pass --labels NAME ({labels} has those of"
    for verb in (["evaluate", *other], ["plot", other[0], "confusion", other[1]]):
        assert told in run(*verb, code=2)
    assert told in run("finetune", tmp_path / "enc", other[1], "--out", tmp_path / "other", code=2)
    wrong = np.mean(load(tmp_path / "clf").predict(inputs[200:400]) != classes[200:400])
    assert run("evaluate", *other, "--labels", tmp_path / "y-te.npy").startswith(f"error rate {wrong:.2%}")


@pytest.mark.usefixtures("here")
def test_a_regressor_is_evaluated_in_the_units_of_its_target(tmp_path):
    told = run("evaluate", "reg", "d.csv")
    run("predict", "reg", "d.csv", "--out", tmp_path / "predicted.csv")
    head, *lines = lines_of((tmp_path / "predicted.csv").read_text())
    predicted = np.array(lines, float)[:, 0]
    assert head == ["predicted"]
    assert f"R2 {r2_score(DIABETES.target, predicted):.3f}, on 442 rows" in told
    assert f"RMSE {np.sqrt(np.mean((predicted - DIABETES.target) ** 2)):.4g}," in told


@pytest.mark.usefixtures("here")
def test_a_stack_is_evaluated_by_its_reconstructions():
    rows = CANCER.data[:400, :10]
    rows, rebuilt = (
        MinMaxScaler().fit(rows).transform(x) for x in (rows, load_stack("enc").reconstruct(rows).astype("f8"))
    )
    share = ((rebuilt - rows) ** 2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum()
    assert run("evaluate", "enc", "t.csv").startswith(
        f"unexplained by the reconstructions: {share:.1%} of the variance"
    )


@pytest.mark.usefixtures("here")
def test_neighbours_are_those_of_the_codes():
    head, *lines = lines_of(run("search", "enc", "t.csv", "--queries", "held_out.csv", "-k", "3"))
    assert head == ["query", "rank", "row", "distance"]
    stack = load_stack("enc")
    library, queries = (stack.encode(part) for part in np.split(CANCER.data[:, :10], [400]))
    found = nearest(library, queries, 3)
    assert [int(line[2]) for line in lines] == found.numbers.ravel().tolist()
    assert [float(line[3]) for line in lines] == pytest.approx(found.distances.ravel(), rel=1e-5)


@pytest.mark.usefixtures("here")
def test_inspect_shows_models_and_tables():
    card = run("inspect", "clf")
    assert card == Path("clf/model_card.md").read_text()
    assert "400 rows of `t.csv`, 400 of them with a label (diagnosis)." in card
    assert "Classes: `benign`, `malignant`." in card
    assert run("inspect", "t.csv", "--labels", "diagnosis").splitlines()[-1].startswith("labels: 2 classes: benign (")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("missing", ["all", "one class"])
def test_rows_without_labels_are_pretrained_on_all_the_same(tmp_path, missing):
    labels = np.full(400, "" if missing == "all" else "benign")
    write_csv(tmp_path / "p.csv", [*CANCER.feature_names[:10], "diagnosis"], *CANCER.data[:400, :10].T, labels)
    layers = ["--layers", "denoising:16:mask=0.2, denoising:8:mask=0.2", "--epochs", "5"]
    run("pretrain", tmp_path / "p.csv", "--labels", "diagnosis", *layers, "--out", tmp_path / "enc")
    rows = CANCER.data[:400, :10]
    assert np.array_equal(load_stack(tmp_path / "enc").encode(rows), load_stack("enc").encode(rows))


@pytest.mark.parametrize(
    ("content", "told"),
    [("a,b\n1,2\n", "columns, named by the first line: a, b"), ("3,4\n1,2\n", "columns, which no line names: 1, 2")],
)
def test_inspect_says_what_the_first_line_was_taken_for(tmp_path, content, told):
    (tmp_path / "t.csv").write_text(content)
    assert run("inspect", tmp_path / "t.csv").splitlines()[1] == told


def test_inspect_tells_what_a_comparison_came_to(tmp_path):
    (tmp_path / "results.json").write_text(
        '{"arms": {"plain": {}, "random": {}}, "conclusion": "nothing was resolved"}'
    )
    told = run("inspect", tmp_path).splitlines()
    assert told[:2] == ["a comparison of plain, random", "nothing was resolved"]


@pytest.mark.usefixtures("here")
def test_the_frozen_encoder_stays_as_it_is(tmp_path):
    run("finetune", "enc", "t.csv", "--labels", "diagnosis", "--out", tmp_path / "clf", "--freeze", "--epochs", "2")
    rows = CANCER.data[:400, :10]
    assert np.array_equal(load(tmp_path / "clf").hidden(rows), load_stack("enc").encode(rows))


@pytest.mark.usefixtures("here")
def test_rows_without_a_label_are_left_out_of_fine_tuning(tmp_path):
    partly = np.where(np.arange(400) < 100, DIAGNOSIS[:400], "")
    write_csv(tmp_path / "p.csv", [*CANCER.feature_names[:10], "diagnosis"], *CANCER.data[:400, :10].T, partly)
    told = run("finetune", "enc", tmp_path / "p.csv", "--labels", "diagnosis", "--out", tmp_path / "clf")
    assert "; 300 rows without a label" in told
    assert load(tmp_path / "clf").provenance.n_labelled == 100


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["encode", "enc", "t.csv", "--out", "codes.txt"],
            "codes.txt: expected a name that ends in .npy, .h5, .hdf5, .csv",
        ),
        (
            ["encode", "enc", "t.csv", "--out", "t.csv"],
            "t.csv: expected a name that is free, received a file that is there",
        ),
        (["encode", "nothing", "t.csv", "--out", "c.npy"], "nothing/model.json: expected a saved model"),
        (["encode", "enc", "t.csv", "--depth", "3", "--out", "c.npy"], "depth: expected at most 2"),
        (["encode", "enc", "d.csv", "--out", "c.npy"], "mean radius"),
        (["reconstruct", "clf", "t.csv", "--out", "c.npy"], "clf: expected a stack, received a classifier"),
        (["predict", "enc", "t.csv"], "enc: expected a classifier or a regressor, received a stack"),
        (["evaluate", "clf", "d.csv"], "diagnosis"),
        (["finetune", "enc", "t.csv", "--labels", "diagnose", "--out", "x"], "diagnosis"),
        (["search", "enc", "t.csv", "--queries", "t.csv", "-k", "401"], "k: expected"),
        (["inspect", "nothing.csv"], "nothing.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(arguments, told):
    output = run(*arguments, code=2)
    assert told in output
    assert output.startswith("error: ")
    assert output.count("\n") == 1


@pytest.mark.usefixtures("here")
def test_files_are_replaced_only_when_told_to(tmp_path):
    target = tmp_path / "codes.npy"
    target.write_bytes(b"mine")
    run("encode", "enc", "t.csv", "--out", target, code=2)
    assert target.read_bytes() == b"mine"
    run("encode", "enc", "t.csv", "--out", target, "--overwrite")
    assert np.load(target).shape == (400, 8)
