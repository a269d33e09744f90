"""Encoders and classifiers as files for other programs, each checked against the model before it gets its name."""

from pathlib import Path

from stacked.errors import check_choice
from stacked.exports.checked import Exported, publish
from stacked.exports.numpy_archive import NUMPY
from stacked.exports.onnx_file import ONNX
from stacked.exports.subject import Subject
from stacked.exports.torch_export import TORCH_EXPORT
from stacked.exports.torchscript import TORCHSCRIPT
from stacked.feedforward import Feedforward
from stacked.paths import PathLike, named_path
from stacked.stack import StackedAutoencoder

FORMATS = {"onnx": ONNX, "torchscript": TORCHSCRIPT, "torch-export": TORCH_EXPORT, "numpy": NUMPY}


def export(model: StackedAutoencoder | Feedforward, path: PathLike, format: str, depth: int | None = None) -> Path:
    """Write the encoder of a stack, or a classifier, into a file for other programs, and return the file.

    It computes what `encode` or `outputs` computes, of any number of rows in the dtype of the model: before it gets
    its name, it is read back by what is to read it, and tried on 300 random rows. A file of this name is replaced.

    Parameters
    ----------
    model : StackedAutoencoder, FeedforwardClassifier or FeedforwardRegressor
        Trained.
    path : path
        The file.
    format : {"onnx", "torchscript", "torch-export", "numpy"}
        "onnx": for ONNX Runtime and others, opset 17, input "rows", output "codes" or "outputs"; takes the packages
        onnx and onnxruntime. "torchscript": for `torch.jit.load`, also in C++. "torch-export": for
        `torch.export.load`. "numpy": an `.npz` of plain arrays, which also holds the code that encodes by NumPy
        alone, `exports/encode.py`.
    depth : int, optional
        How many layers of a stack to go up; all by default.

    Raises
    ------
    StackedError
        When the file cannot be written, a package is missing, or what was read back deviates from the model by more
        than 1e-6 of the largest code (1e-12 in float64) and by more than rounding explains. Nothing is left behind.
    """
    return exported(model, path, format, depth).path


def exported(
    model: StackedAutoencoder | Feedforward, path: PathLike, format: str, depth: int | None = None
) -> Exported:
    """The same, with what the check found."""
    check_choice("format", format, FORMATS)
    form, file = FORMATS[format], named_path(path, "path")
    return publish(Subject(model, depth), file, form)
