"""A saved index as a folder: the stack, the codes as one cache entry, and `index.json`.

`index.json` names the stack and the codes by all that they hold and is renamed into place last, so that a folder
holds the old index or the new one, whole.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from stacked.autoencoders import Autoencoder
from stacked.cache_entry import Codes, ForeignFile, read_entry, write_entry
from stacked.checkpoint import load_stack, model_key, save
from stacked.descriptions import check_fields, read_description, write_description
from stacked.devices import numpy_dtype
from stacked.errors import StackedError, check_count, mismatch
from stacked.files import blaming, locked, remove_abandoned, withdrawn_on_failure
from stacked.rows import Array, Rows, blocks, fingerprint
from stacked.stack import StackedAutoencoder

FORMAT = 3
_FILE = "index.json"
_DIGITS = 16  # of a key, in a name


def encoders_key(layers: Sequence[Autoencoder]) -> str:
    """SHA-256 of all that codes depend on besides the rows, as hexadecimal digits."""
    return hashlib.sha256(" ".join(layer.encoder_fingerprint() for layer in layers).encode()).hexdigest()


def write_index(folder: Path, stack: StackedAutoencoder, depth: int, codes: Rows) -> None:
    """Write an index into a folder, made if need be; replace the index that is there.

    Parameters
    ----------
    folder : Path
        Where to.
    stack : StackedAutoencoder
        What made the codes.
    depth : int
        With how many of its layers.
    codes : Rows
        Shape `(n, n_units)`, in the dtype of the stack.

    Raises
    ------
    StackedError
        When the folder cannot be written.
    """
    keys = {"stack": model_key(stack), "codes": fingerprint(codes)}
    stack_name, codes_name = _names(keys)
    held = {"depth": depth, "n_rows": len(codes), "encoders": encoders_key(stack.up_to(depth)), **keys}
    with blaming(folder, "the index"):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "index"):  # or another who saves here would remove this stack and these codes as stale
            with withdrawn_on_failure(folder / stack_name, folder / codes_name):
                save(stack, folder / stack_name)
                _write_codes(folder / codes_name, keys["codes"], codes)
                write_description(folder / _FILE, FORMAT, held)
            _remove_stale(folder, {stack_name, codes_name})
        remove_abandoned(folder)


def read_index(folder: Path, device: str) -> tuple[StackedAutoencoder, int, Array]:
    """The stack, depth and codes in a folder, once all is what was written; the codes are a memory map.

    Raises
    ------
    StackedError
        When the folder holds no index, or one that is damaged or of another version.
    """
    path = folder / _FILE
    described = read_description(path, "a saved index", FORMAT)
    check_fields(path, described, ("depth", "n_rows", "encoders", "stack", "codes"))
    stack_name, codes_name = _names(described)
    stack = load_stack(folder / stack_name, device=device)
    with _naming(path):
        layers = stack.up_to(described["depth"])
        check_count("n_rows", described["n_rows"])
    if encoders_key(layers) != described["encoders"]:
        expected, received = f"the stack that made the codes in {folder}", "another"
        remedy = "restore the folder, or make the index again"
        raise mismatch(str(folder / stack_name), expected=expected, received=received, remedy=remedy)
    shape = described["n_rows"], layers[-1].settings.n_units
    codes = _read_codes(folder / codes_name, Codes(described["codes"], shape, numpy_dtype(stack.dtype)))
    return stack, len(layers), codes


def _names(keys: Mapping[str, object]) -> tuple[str, str]:
    """What the stack's folder and the file of the codes are called; a stranger's keys lead to no other folder."""
    stack, codes = (str(keys[what])[:_DIGITS] for what in ("stack", "codes"))
    return Path(f"stack-{stack}").name, Path(f"codes-{codes}.h5").name


def _write_codes(path: Path, key: str, rows: Rows) -> None:
    """Write codes beside their name, then rename: a file of this name may be mapped, even by these rows."""

    def copy(out: Array) -> None:
        for start, block in blocks(rows):
            out[start : start + len(block)] = block

    with locked(path):
        write_entry(path, Codes(key, (len(rows), rows.shape[1]), np.dtype(rows.dtype)), copy)


def _remove_stale(folder: Path, current: set[str]) -> None:
    """Remove other stacks and codes of ours: what has a whole key in its name."""
    key = "[0-9a-f]" * _DIGITS
    for path in (*folder.glob(f"stack-{key}"), *folder.glob(f"codes-{key}.h5")):
        if path.name not in current:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _read_codes(path: Path, codes: Codes) -> Array:
    wanted = f"{path}: expected the codes of the index, but"
    try:
        return read_entry(path, codes)
    except FileNotFoundError as error:
        raise StackedError(f"{wanted} there is no such file; restore it, or make the index again") from error
    except (ForeignFile, ValueError) as error:
        raise StackedError(f"{wanted} {error}; restore the file, or make the index again") from error


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in whatever is wrong with its values."""
    try:
        yield
    except StackedError as error:
        raise StackedError(f"{path}: the index in it cannot be used: {error}") from error
