"""`stacked plot`: every kind of picture of every kind of model, told by what it hands to matplotlib."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import r2_score
from typer.testing import CliRunner

from stacked import (
    FeedforwardClassifier,
    L1Sparsity,
    Plain,
    Sparse,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    Variational,
    save,
)
from stacked import model_plots as plots
from stacked.cli import app
from stacked.cli import plot as verb
from stacked.embeddings import placed
from stacked.model_plots import MOST_ROWS, View
from stacked.plots import Colours
from stacked.provenance import Provenance

ROWS = np.random.default_rng(0).random((130, 12), dtype=np.float32)
CLASSES = (ROWS[:, 0] > 0.5).astype(np.int64) + (ROWS[:, 1] > 0.5)
TRAINING = TrainingConfig(epochs=2, batch_size=20)


@pytest.fixture(scope="module")
def stack():
    return StackedAutoencoder([Plain(8), Sparse(5, penalty=L1Sparsity(0.01), activation="relu")], TRAINING).fit(ROWS)


@pytest.fixture(scope="module")
def classifier(stack):
    return FeedforwardClassifier.from_stack(stack, 3).fit(ROWS, CLASSES, TRAINING, validation=(ROWS, CLASSES))


@pytest.fixture
def here(tmp_path, monkeypatch, stack, classifier):
    """A working directory with models, rows and labels."""
    monkeypatch.chdir(tmp_path)
    save(stack, "encoder")
    save(classifier, "model")
    np.save("rows.npy", ROWS)
    np.save("classes.npy", CLASSES)
    np.save("numbers.npy", ROWS[:, 0])
    return tmp_path


@pytest.fixture
def handed(monkeypatch):
    """What a function of `plots` was handed by the last call, by name; it draws all the same."""
    calls = {}
    for name in ("loss_curves", "filter_tiles", "weight_map", "code_map", "picture_rows", "column_errors"):
        _watch(monkeypatch, calls, name)
    for name in ("embedding", "confusion_matrix"):
        _watch(monkeypatch, calls, name)
    return calls


def _watch(monkeypatch, calls, name):
    function = getattr(plots, name)

    def watched(*arguments, **options):
        calls[name] = inspect.signature(function).bind(*arguments, **options).arguments
        function(*arguments, **options)

    monkeypatch.setattr(plots, name, watched)


def plot(*arguments):
    return CliRunner().invoke(app, ["plot", *map(str, arguments)])


@pytest.mark.parametrize(
    "command",
    [
        "encoder losses",
        "encoder filters",
        "encoder filters --shape 3x4 --layer 2",
        "encoder codes rows.npy",
        "encoder reconstructions rows.npy",
        "encoder reconstructions rows.npy --shape 4x3 --layer 1",
        "encoder embedding rows.npy",
        "encoder embedding rows.npy --labels numbers.npy --rows 50",
        "model losses",
        "model filters --layer 3",
        "model codes rows.npy --layer 1",
        "model embedding rows.npy --labels classes.npy --method tsne --rows 40",
        "model confusion rows.npy --labels classes.npy",
    ],
)
def test_every_kind_of_picture_has_its_name(here, command):
    ended = plot(*command.split())
    model, kind = command.split()[:2]
    assert (ended.exit_code, ended.output) == (0, f"written to {model}-{kind}.png\n")
    with Image.open(f"{model}-{kind}.png") as image:
        image.load()
        assert image.format == "PNG"
        assert np.asarray(image).std() > 5
    plot(*command.split(), "--out", here / "mine.png")
    assert (here / "mine.png").stat().st_size > 0


def test_a_model_in_this_folder_has_a_name_too(here, monkeypatch):
    monkeypatch.chdir("encoder")
    assert plot(".", "losses").output == "written to encoder-losses.png\n"


def test_losses_are_those_of_every_training(handed, stack, classifier, tmp_path):
    plots.plot_losses(stack, tmp_path / "a.png")
    assert handed["loss_curves"]["histories"] == dict(
        zip(["layer 1: plain 12-8", "layer 2: sparse 8-5"], stack.histories, strict=True)
    )
    plots.plot_losses(classifier, tmp_path / "a.png")
    assert handed["loss_curves"]["histories"] == {"classifier 12-8-5-3": classifier.history}
    with pytest.raises(StackedError, match="expected one with a loss, received one that was never trained"):
        plots.plot_losses(StackedAutoencoder([Plain(3)]).draw(4), tmp_path / "a.png")


def test_filters_of_a_layer_are_its_weights_through_those_below(handed, stack, classifier, tmp_path):
    first, second = (layer.encoder_layers[0].weight.detach().numpy() for layer in stack.layers)
    plots.plot_filters(stack, tmp_path / "a.png", View(columns=tuple("abcdefghijkl")))
    np.testing.assert_array_equal(handed["weight_map"]["weights"], first)
    assert handed["weight_map"]["columns"] == tuple("abcdefghijkl")
    assert handed["weight_map"]["title"] == "Weights of layer 1: plain 12-8"
    plots.plot_filters(stack, tmp_path / "a.png", View(layer=2, image_shape=(3, 4)))
    (tiles,) = handed["filter_tiles"]["tiles"].values()
    np.testing.assert_allclose(tiles, second @ first, rtol=1e-6)
    assert handed["filter_tiles"]["title"] == "Weights of layer 2: sparse 8-5, through the layers below"
    plots.plot_filters(classifier, tmp_path / "a.png", View())
    np.testing.assert_array_equal(handed["weight_map"]["weights"], classifier.layers[0].weight.detach().numpy())


def test_weights_of_a_layer_of_two_products_are_those_of_both(handed, tmp_path):
    stack = StackedAutoencoder([Variational(2, hidden=4)], TRAINING).fit(ROWS)
    hidden, mean = (dense.weight.detach().numpy() for dense in stack.layers[0].encoder_layers)
    plots.plot_filters(stack, tmp_path / "a.png", View())
    np.testing.assert_allclose(handed["weight_map"]["weights"], mean @ hidden, rtol=1e-5)
    assert handed["weight_map"]["title"] == "Weights of layer 1: variational 12-2, through its hidden layer"


def test_codes_are_those_of_the_layer_with_its_bounds(handed, stack, classifier, tmp_path):
    plots.plot_codes(stack, ROWS, tmp_path / "a.png", View())
    np.testing.assert_array_equal(handed["code_map"]["codes"], stack.encode(ROWS))
    assert handed["code_map"]["bounds"] == (0, np.inf)
    assert handed["code_map"]["title"] == "Codes of layer 2: sparse 8-5, on 130 rows"
    plots.plot_codes(classifier, ROWS, tmp_path / "a.png", View(layer=1, most=50))
    assert handed["code_map"]["codes"].shape == (50, 8)
    assert handed["code_map"]["bounds"] == (0, 1)
    assert handed["code_map"]["title"] == "Codes of layer 1: 12-8, on 50 of 130 rows"


def test_reconstructions_are_pictures_or_errors_by_column(handed, stack, tmp_path):
    plots.plot_reconstructions(stack, ROWS, tmp_path / "a.png", View(columns=tuple("abcdefghijkl")))
    expected = 1 - r2_score(ROWS, stack.reconstruct(ROWS), multioutput="raw_values")
    np.testing.assert_allclose(handed["column_errors"]["missed"], expected, rtol=1e-5)
    assert handed["column_errors"]["title"] == "Reconstruction of 130 rows through 2 layers"
    plots.plot_reconstructions(stack, ROWS, tmp_path / "a.png", View(image_shape=(3, 4), layer=1))
    pictures = handed["picture_rows"]["rows"]
    np.testing.assert_array_equal(pictures["rebuilt"], stack.reconstruct(pictures["rows"], 1))
    assert handed["picture_rows"]["title"] == "20 of 130 rows, and rebuilt through 1 layer"
    assert all((row == ROWS).all(axis=1).any() for row in pictures["rows"])


def test_an_embedding_has_the_targets_of_its_rows(handed, stack, tmp_path):
    view = View(most=60)
    plots.plot_embedding(stack, ROWS, tmp_path / "a.png", view, Colours(ROWS[:, 0], name="first"))
    from_all = stack.encode(ROWS)
    shown = handed["embedding"]
    numbers = [int(np.flatnonzero(ROWS[:, 0] == value)[0]) for value in shown["colours"].values]
    assert shown["colours"].name == "first"
    np.testing.assert_allclose(shown["places"], placed(from_all[numbers]).values, atol=1e-5)
    assert len(numbers) == 60
    assert shown["title"] == "Codes of layer 2: sparse 8-5, PCA of 60 of 130 rows"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A CSV file with more columns than the classifier beside it was trained on."""
    monkeypatch.chdir(tmp_path)
    lines = [
        f"{a},{b},{'yn'[k % 2]},run {k % 14:02d},2024-01-{k % 28 + 1:02d},x" for k, (a, b) in enumerate(ROWS[:, :2])
    ]
    Path("t.csv").write_text("\n".join(["a,b,label,batch,day,same", *lines]) + "\n")
    Path("beside.csv").write_text("\n".join(["owner", *("xyz"[k % 3] for k in range(130))]) + "\n")
    rows, known = ROWS[:, :2], Provenance("t.csv", 130, 130, ("a", "b"), "label", ("y", "n"))
    stack = StackedAutoencoder([Plain(2)], TRAINING).fit(rows)
    model = FeedforwardClassifier.from_stack(stack, 2).fit(rows, np.arange(130) % 2, TRAINING)
    model.provenance = known
    save(model, "known")


@pytest.mark.parametrize(
    ("labels", "classes", "first", "name"),
    [
        ("label", ("y", "n"), [0, 1, 0], "label"),  # in the order of the model
        ("batch", tuple(f"run {k:02d}" for k in range(14)), [0, 1, 2], "batch"),
        ("day", tuple(f"2024-01-{k + 1:02d}" for k in range(28)), [0, 1, 2], "day"),
        ("same", ("x",), [0, 0, 0], "same"),
        ("b", (), ROWS[:3, 1], "b"),  # one of the model's own columns
        ("beside.csv:owner", ("x", "y", "z"), [0, 1, 2], "owner"),
        ("beside.csv", ("x", "y", "z"), [0, 1, 2], "beside.csv"),
    ],
)
def test_codes_are_coloured_by_any_values(handed, table, labels, classes, first, name):
    ended = plot("known", "embedding", "t.csv", "--labels", labels)
    assert (ended.exit_code, ended.output) == (0, "written to known-embedding.png\n")
    colours = handed["embedding"]["colours"]
    assert (colours.classes, colours.name) == (classes, name)
    np.testing.assert_allclose(colours.values[:3], first, rtol=1e-6)


def test_what_is_confused_are_classes_of_the_model(table):
    ended = plot("known", "confusion", "t.csv", "--labels", "batch")
    assert ended.exit_code == 2
    assert ended.stderr.startswith("error: batch: expected classes among 'y', 'n', received 'run 00'")


def test_confusions_are_counted_over_all_labelled_rows(handed, classifier, tmp_path):
    labels = CLASSES.copy()
    labels[:10] = -1
    plots.plot_confusion(classifier, ROWS, labels, ["none", "one"], tmp_path / "a.png")
    predicted, expected = classifier.predict(ROWS), np.zeros((3, 3), int)
    for true, said in zip(CLASSES[10:], predicted[10:], strict=True):
        expected[true, said] += 1
    np.testing.assert_array_equal(handed["confusion_matrix"]["counts"], expected)
    assert handed["confusion_matrix"]["classes"] == ["none", "one", "2"]
    right = (predicted == CLASSES)[10:].mean()
    assert handed["confusion_matrix"]["title"] == f"{100 * right:.1f} % of 120 rows are recognised"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("encoder loss", "KIND: expected one of 'losses', 'filters'"),
        ("nothing losses", "nothing/model.json: expected a saved model, but it cannot be read: No such file"),
        ("encoder codes", "ROWS of codes: expected a table, received none; name the rows after it"),
        ("encoder losses rows.npy", "ROWS of losses: expected none, received rows.npy; leave it out"),
        ("encoder codes rows.npy --labels classes.npy", "--labels of codes: expected none, received classes.npy"),
        ("model confusion rows.npy", "--labels: expected where the labels are, received nothing; pass"),
        ("encoder confusion rows.npy --labels classes.npy", "the model: expected a classifier, received a stack"),
        ("model confusion rows.npy --labels numbers.npy", "numbers.npy: expected"),
        ("model confusion rows.npy --labels more.npy", "more.npy: expected"),
        (
            "model confusion rows.npy --labels few.npy",
            "target 'few.npy' of rows.npy: expected a target for",
        ),
        ("model confusion rows.npy --labels no.npy", "no.npy: expected a file of numpy.save, but it cannot be read"),
        ("model reconstructions rows.npy", "the model: expected a stack, which decodes, received a classifier"),
        ("encoder filters --shape 28", "--shape: expected height x width, received 28; pass for instance 28x28"),
        ("encoder filters --shape 28x28", "the shape of pictures: expected height x width of 12 columns, received"),
        ("encoder filters --layer 3", "depth: expected at most 2, the layers there are, received 3"),
        ("model codes rows.npy --layer 4", "--layer: expected at most 3, the layers there are, received 4"),
        ("encoder codes classes.npy", "classes.npy: expected a table of shape (n, n_inputs), received shape (130,)"),
        ("encoder codes rows.npy --rows 0", "rows: expected a whole number of at least 1, received 0"),
        (
            "encoder embedding rows.npy --method lle",
            "--method: expected one of 'pca', 'tsne', 'umap', rec",
        ),
        ("encoder losses --out a.jpg", "--out: expected a name that ends in .png, received a.jpg"),
        ("encoder losses --out no/a.png", "no: the picture cannot be written there (No such file or directory)"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_a_sentence(here, command, told):
    np.save("more.npy", CLASSES + 1)
    np.save("few.npy", CLASSES[:2])
    before = sorted(path.name for path in Path().iterdir())
    ended = plot(*command.split())
    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"error: {told}")
    assert ended.stderr.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == before


def test_the_default_of_rows_is_that_of_the_library():
    assert inspect.signature(inspect.unwrap(verb.command)).parameters["most"].default == MOST_ROWS
