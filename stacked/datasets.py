"""Data sets of labelled images: MNIST from its four verified files, and any other folder in the same form."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stacked.errors import StackedError, check_choice, check_flag, mismatch
from stacked.idx import read_idx
from stacked.paths import PathLike, named_path
from stacked.rows import Array
from stacked.scaled_rows import ScaledRows
from stacked.splits import Split

MNIST_VARIABLE = "STACKED_MNIST"
"""The environment variable that may name the folder of MNIST."""

_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_FILES = tuple(_MNIST_SHA256)


class LabelledImages(NamedTuple):
    """Training and test images as rows, with their classes.

    `x_train`, `x_test`: pixels divided by 255, shape `(n, height * width)`, as floats in memory or as `ScaledRows`.
    `y_train`, `y_test`: int64, shape `(n,)`.
    """

    x_train: Array | ScaledRows
    y_train: NDArray[np.int64]
    x_test: Array | ScaledRows
    y_test: NDArray[np.int64]

    @property
    def is_fixed(self) -> bool:
        """Whether all seeds have the same split: they do."""
        return True

    def split(self, seed: int) -> Split:
        """The same for every seed."""
        return Split(*self, range(len(self.y_test)))


def load_mnist(folder: PathLike | None = None, *, dtype: str = "float32", compact: bool = False) -> LabelledImages:
    """The MNIST digits: 60,000 for training and 10,000 for testing, 784 pixels each.

    Parameters
    ----------
    folder : path, optional
        Where the four IDX files lie, `.gz` or not. By default the folder that the environment variable STACKED_MNIST
        names, else `data/mnist` in the checkout or in the working directory.
    dtype : {"float32", "float64"}
        Of the pixels.
    compact : bool
        Keep the pixels as bytes, and scale them as they are read: the same numbers in a quarter of the memory.

    Raises
    ------
    StackedError
        When a file is missing, or is not the original by its SHA-256.
    """
    check_flag("compact", compact)
    images = _load(_mnist_folder(folder), dtype, _MNIST_SHA256)
    return images if compact else _in_memory(images)


def load_idx(folder: PathLike, *, dtype: str = "float32", compact: bool = False) -> LabelledImages:
    """Another data set in four files of MNIST's names, such as Fashion-MNIST, without known checksums.

    See `load_mnist` for the parameters and errors.
    """
    check_flag("compact", compact)
    images = _load(named_path(folder, "folder"), dtype, {})
    return images if compact else _in_memory(images)


def _in_memory(images: LabelledImages) -> LabelledImages:
    return images._replace(x_train=np.asarray(images.x_train), x_test=np.asarray(images.x_test))


def _mnist_folder(folder: PathLike | None) -> Path:
    named = os.environ.get(MNIST_VARIABLE) or None if folder is None else folder
    if named is not None:
        return named_path(named, "folder")
    places = [Path(__file__).parents[1] / "data" / "mnist", Path.cwd() / "data" / "mnist"]
    return next((place for place in places if place.is_dir()), places[-1])


def _load(folder: Path, dtype: str, sha256: dict[str, str]) -> LabelledImages:
    paths = [_find(folder, name) for name in _FILES]
    x_train, y_train, x_test, y_test = (
        _read(path, sha256.get(name)) for path, name in zip(paths, _FILES, strict=True)
    )
    if x_train.shape[1:] != x_test.shape[1:]:
        expected, received = f"test images of shape {x_train.shape[1:]}, as for training", f"{x_test.shape[1:]}"
        raise mismatch(str(folder), expected=expected, received=received, remedy="check the files")
    return LabelledImages(
        *_labelled(x_train, y_train, folder, "train", dtype), *_labelled(x_test, y_test, folder, "t10k", dtype)
    )


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise StackedError(
        f"{folder}: expected {name} or {name}.gz, found neither; put the four IDX files ({', '.join(_FILES)}) there, "
        f"or name their folder by an argument (MNIST also by the environment variable {MNIST_VARIABLE})"
    )


def _read(path: Path, sha256: str | None) -> Array:
    values, received = read_idx(path)
    if sha256 not in (None, received):
        remedy = "restore the original file, or read other data with load_idx"
        raise mismatch(str(path), expected=f"MNIST's file, SHA-256 {sha256}", received=received, remedy=remedy)
    return values


def _labelled(
    images: Array, labels: Array, folder: Path, part: str, dtype: str
) -> tuple[ScaledRows, NDArray[np.int64]]:
    fitting = images.ndim > 1 and images.size > 0 and images.dtype == np.uint8 and labels.dtype.kind in "iu"
    if not fitting or labels.shape != images.shape[:1]:
        expected = "uint8 images and one whole number for each as its label"
        received = f"images {images.dtype} {images.shape} and labels {labels.shape}"
        raise mismatch(f"{folder} ({part})", expected=expected, received=received, remedy="check the files")
    check_choice("dtype", dtype, ("float32", "float64"))
    return ScaledRows(images.reshape(len(images), -1), 255, dtype), labels.astype(np.int64)
