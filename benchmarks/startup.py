"""What `import stacked` costs beside `import torch`, in fresh processes. Command: python benchmarks/startup.py"""

import subprocess
import sys

import typer
from common import Json, Repetitions, report

IMPORTS = {"torch": "import torch", "stacked": "import stacked", "torch, then stacked": "import torch, stacked"}
TIMED = "import time; began = time.perf_counter(); {}; print(time.perf_counter() - began)"


def main(repetitions: Repetitions = 9, json: Json = None) -> None:
    """Time each import in turn; the first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for round_number in range(repetitions + 1):
        for name, statement in IMPORTS.items():
            command = [sys.executable, "-c", TIMED.format(statement)]
            taken = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            if round_number > 0:
                seconds[name].append(taken)
    report("Seconds to import, in a fresh process", seconds, "torch", json)


if __name__ == "__main__":
    typer.run(main)
