"""Files that are whole or not there: written beside their name, flushed to disk, renamed."""

import os
import uuid
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Put a file in place; whatever happens, its name holds the old content or the new one, whole."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _flush_names(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _flush_names(folder: Path) -> None:
    """Make a rename survive a crash of the machine, where the system lets folders be flushed."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
