"""The shape of the code: imports point one way, files and functions stay small, start-up stays light."""

import ast
import importlib
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import stacked

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stacked"
ORDER = [
    *("errors", "extras", "files", "temporary_folder", "paths", "state_files", "strict_json", "differences"),
    *("settings", "wording", "columns", "frames"),
    *("activations", "losses", "outputs", "devices", "randomness", "corruption"),
    *("dense", "abreast", "products", "gradients", "precision", "symptoms", "model"),
    *("lazy_rows", "hdf5", "hdf5_links", "hdf5_chunks", "hdf5_checks", "hdf5_rows"),
    *("rows", "hdf5_tables", "destinations", "scaled_rows", "scaling", "provenance", "embeddings"),
    *("splits", "idx", "datasets", "npy", "examples", "labelled_rows", "ranks"),
    *(
        "orders",
        "collected",
        "table_names",
        "cells",
        "npz",
        "image_files",
        "image_folders",
        "csv_names",
        "csv_layout",
    ),
    *("empty_lines", "arrow_tables"),
    *("columns_in_files", "tables", "targets", "ahead", "readers", "picked_rows", "samples", "labelled_table"),
    *("batches", "schedules", "optimizers", "training_config", "books", "checkpoints", "callbacks", "progress"),
    *("log_lines", "logs", "tensorboards"),
    *("streams", "sharing", "evaluation", "captured", "divergence", "training_state", "training"),
    *("joint_steps", "together", "trainings", "run_directory", "run_summary"),
    *("autoencoders.base", "autoencoders.dense", "autoencoders.plain", "autoencoders.denoising"),
    *("autoencoders.contractive", "autoencoders.sparsity", "autoencoders.revival", "autoencoders.sparse"),
    *("autoencoders.variational", "autoencoders", "layer_text", "layer_files"),
    *("cache_entry", "cache", "temporary_cache", "codes", "coding", "joined_rows", "shards"),
    *("written_tables", "stack_checks", "unrolled", "stack"),
    *("feedforward_settings", "heads", "network", "frozen", "transfer", "forward", "feedforward"),
    *("classifier", "regressor", "seeds"),
    *("descriptions", "model_files", "model_card", "checkpoint", "sequential"),
    *("exports.subject", "exports.checked", "exports.onnx_graph", "exports.onnx_file", "exports.torchscript"),
    *("exports.torch_export", "exports.encode", "exports.numpy_archive", "exports"),
    *("neighbours", "index_files", "retrieval"),
    *("estimators.layerwise", "estimators.transformer", "estimators.pretrained", "estimators.labels"),
    *("estimators.classifier", "estimators.regressor", "estimators"),
    *("trial", "trial_folder", "campaign", "scoring", "comparison", "arms", "recipes"),
    *("signed_rank", "statistics", "error_table", "conclusion", "printed", "results", "measures", "scores"),
    *("ticks", "short_names"),
    *("plots.page", "plots.distributions", "plots.pictures", "plots.curves", "plots.scatter"),
    *("plots.losses", "plots.weights", "plots.codes", "plots.column_errors", "plots.confusion"),
    *("plots.points", "plots.colour_legend", "plots.colour_bar", "plots.embedding"),
    *("plots", "model_plots", "own_comparison"),
    *("report.html", "report.words", "report.scales", "report.pictures", "report.contents", "report.facts"),
    *("report.results", "report.trials", "report.findings", "report.of_comparison", "report.of_model"),
    *("report.charts", "report.figures", "report.tables", "report.trees"),
    *("report.compared", "report.runs", "report.curves", "report.weights", "report.examples", "report.background"),
    *("report.page", "report"),
    *("cli.guard", "cli.one_voice", "cli.sizes", "cli.options", "cli.data", "cli.trainings", "cli.watching"),
    *("cli.cache", "cli.pretrain", "cli.finetune", "cli.compare", "cli.encode", "cli.predict", "cli.evaluate"),
    *("cli.search", "cli.inspect", "cli.plot", "cli.report", "cli.export", "cli", "__main__"),
]
VERBS = ["cache", "pretrain", "finetune", "compare", "encode", "predict", "evaluate", "search"]
VERBS += ["inspect", "plot", "report", "export"]
DRAWN = ("page", "distributions", "losses", "weights", "codes", "column_errors", "embedding", "confusion")
DRAWN += ("points", "colour_bar")
ONLY_IN = {
    "h5py": {"hdf5", "hdf5_links", "hdf5_chunks", "hdf5_checks", "hdf5_rows", "hdf5_tables"},
    "matplotlib": {f"plots.{name}" for name in DRAWN},
    "rich": {"progress", "printed"},
    "joblib": {"campaign"},
    "sklearn": {"embeddings"}
    | {f"estimators.{name}" for name in ("layerwise", "transformer", "labels", "classifier", "regressor")},
    "torch.distributed": {"ranks"},
    "pyarrow": {"arrow_tables"},
    "PIL": {"image_folders"},
    "torch.utils.tensorboard": {"tensorboards"},
    "onnx": {"exports.onnx_file"},
    "onnxruntime": {"exports.onnx_file"},
    "typer": {f"cli.{name}" for name in ("guard", "options", "watching", *VERBS)} | {"cli"},
    "lazy_loader": {""},
}
LIBRARIES = ["torch", "numpy", "h5py", "safetensors"]
HEAVY = ["matplotlib", "sklearn", "scipy", "joblib", "rich", "typer", "pandas", "torch._dynamo", "torch._inductor"]
FILES = sorted(
    path for folder in (PACKAGE, ROOT / "experiments", ROOT / "benchmarks") for path in folder.rglob("*.py")
)


def module_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path):
    """Every module that a file imports when it runs, with the line; those only for type checking left out."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = node.module == "stacked" or inner.removeprefix("stacked.") in ORDER
                yield (inner if is_module else node.module), node


def test_the_order_names_every_module():
    assert set(ORDER) | {""} == {module_of(path) for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("name", ORDER)
def test_each_file_imports_only_files_below_it(name):
    file = PACKAGE / (name.replace(".", "/") + ".py")
    file = file if file.exists() else PACKAGE / name / "__init__.py"
    ours = [module.removeprefix("stacked.") for module, _ in imported(file) if module.startswith("stacked.")]
    assert [module for module in ours if ORDER.index(module) >= ORDER.index(name)] == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_some_libraries_are_imported_in_one_place(library):
    places = {
        module_of(path)
        for path in PACKAGE.rglob("*.py")
        if any(f"{module}.".startswith(f"{library}.") for module, _ in imported(path))
    }
    assert places == ONLY_IN[library]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_small(path):
    source = path.read_text()
    assert source.count("\n") <= 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            assert node.end_lineno - body[0].lineno < 40, f"{node.name} is too long"


def loaded(statement, names):
    """Which of these modules a statement leaves loaded in a fresh process."""
    code = f"{statement}\nimport sys; print([name for name in {names} if name in sys.modules], file=sys.stderr)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    return ast.literal_eval(told)


def stub_imports():
    """Every import of `__init__.pyi`: the module and the name."""
    for node in ast.parse((PACKAGE / "__init__.pyi").read_text()).body:
        if isinstance(node, ast.ImportFrom):
            (alias,) = node.names
            assert alias.asname == alias.name, "a type checker takes other imports of a stub for its own affair"
            yield node.module, alias.name


def test_importing_the_package_loads_no_library():
    assert loaded("import stacked", [*LIBRARIES, *HEAVY]) == []


def test_using_the_package_loads_nothing_heavy_besides_torch():
    """But for scikit-learn's estimators, which are made of it."""
    assert loaded("from stacked import *", LIBRARIES) == LIBRARIES
    names = ", ".join(name for module, name in stub_imports() if module != "estimators")
    assert loaded(f"from stacked import {names}", HEAVY) == loaded("import torch", HEAVY)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["cache", "prune", "--help"], *([verb, "--help"] for verb in VERBS)]
)
def test_help_loads_no_library(arguments):
    command = f"""
import sys
from stacked.cli import main
sys.argv = ["stacked", *{arguments}]
try:
    main()
except SystemExit as end:
    assert end.code == 0
"""
    assert loaded(command, LIBRARIES) == []


def test_public_names_are_those_of_the_modules_and_listed():
    for module, name in stub_imports():
        assert getattr(stacked, name) is getattr(importlib.import_module(f"stacked.{module}"), name)
    assert sorted(name for _, name in stub_imports()) == stacked.__all__ == dir(stacked)


def test_a_star_import_gives_every_public_name():
    names = {}
    exec("from stacked import *", names)
    assert set(names) - {"__builtins__"} == set(stacked.__all__)


def test_unknown_names_are_no_attributes():
    with pytest.raises(AttributeError, match="No stacked attribute Denosing"):
        stacked.Denosing  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Denosing' from 'stacked'"):
        exec("from stacked import Denosing")


def test_settings_found_by_their_public_names_can_be_pickled():
    settings = stacked.Denoising(5, corruption=stacked.Masking(0.3))
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_everything_that_is_no_python_is_packed_too():
    """Without the stub, an installed package would have no names."""
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["stacked"]
    for path in PACKAGE.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc", ".md"):
            assert any(path.match(pattern) for pattern in packed), path


def test_every_public_name_is_documented_and_in_order():
    assert [name for name in stacked.__all__ if not getattr(stacked, name).__doc__] == []
    assert len(set(stacked.__all__)) == len(stacked.__all__)


def test_nothing_can_unpickle():
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text()
        assert "torch.load" not in source
        assert "import pickle" not in source
        assert "allow_pickle=True" not in source
