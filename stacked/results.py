"""`results.json`: what a comparison leaves, and the versions of what computed it."""

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

from stacked.files import blaming, write_atomically


def versions() -> dict[str, str]:
    """Versions of what computes."""
    packages = ("stacked", "torch", "numpy", "scipy", "scikit-learn", "h5py")
    found = {package: importlib.metadata.version(package) for package in packages}
    return {"python": platform.python_version(), **found}


def versions_that_matter() -> dict[str, str]:
    """Versions that a kept trial must share, for they decide its figures."""
    return {package: versions()[package] for package in ("stacked", "torch", "numpy")}


def environment() -> dict[str, Any]:
    """The machine that computes."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    named = (line.split(": ")[1] for line in lines if line.startswith("model name"))
    return {"processor": next(named, platform.processor()), "cores": os.cpu_count()}


def write_results(folder: Path, results: dict[str, Any]) -> None:
    """Write `results.json`, whole or not at all; StackedError when it cannot be written."""
    with blaming(folder, "results"):
        write_atomically(folder / "results.json", json.dumps(results, indent=1).encode())
