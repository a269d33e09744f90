"""What it costs to import the package, and to ask the command for help, in fresh processes.

Command: python benchmarks/startup.py
"""

import subprocess
import sys

import typer
from common import Json, Repetitions, report, time_in_turn

SIDES = {
    "pass": ["-c", "pass"],
    "import typer": ["-c", "import typer"],
    "stacked --help": ["-m", "stacked", "--help"],
    "import stacked": ["-c", "import stacked"],
    "import torch": ["-c", "import torch"],
    "import torch, stacked": ["-c", "import torch, stacked"],
    "from stacked import *": ["-c", "from stacked import *"],
}


def main(repetitions: Repetitions = 9, json: Json = None) -> None:
    """Time each process from its start to its end."""

    def ended(arguments: list[str]) -> None:
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)

    sides = {name: lambda arguments=arguments: ended(arguments) for name, arguments in SIDES.items()}
    report("Seconds of a process", time_in_turn(sides, repetitions), "import torch", json)


if __name__ == "__main__":
    typer.run(main)
