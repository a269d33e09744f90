"""The table of the classic comparison: its arms, and below each the runs of the original toolbox."""

from statistics import fmean, median
from typing import Any

from rich.console import Console

from stacked import printed
from stacked.error_table import ERROR_RATE
from stacked.printed import print_failures, rounded


def print_arms(console: Console, results: dict[str, Any]) -> None:
    """One row an arm: mean and interval, median, range, collapsed runs; the toolbox's own figures below it."""
    toolbox = results["summary"]["toolbox"]
    printed.print_arms(console, results, below={arm: _theirs(compared) for arm, compared in toolbox.items()})
    console.print(
        "collapsed: runs that recognise less than 5 % of some digit; they count in every column.", soft_wrap=True
    )
    print_failures(console, results, lacking="error rate")
    if any(compared["ks_p"] is not None for compared in toolbox.values()):
        p_values = ", ".join(f"{arm} p = {rounded(compared['ks_p'])}" for arm, compared in toolbox.items())
        console.print(
            f"Kolmogorov-Smirnov test against the toolbox's runs: {p_values}", highlight=False, soft_wrap=True
        )


def _theirs(compared: dict[str, Any]) -> list[str]:
    rates = compared["error_rate"]
    shown = ERROR_RATE.shown
    collapsed = "-" if compared["collapsed"] is None else str(compared["collapsed"])
    spread = f"{shown(min(rates))}-{shown(max(rates))}"
    return ["  toolbox", str(len(rates)), shown(fmean(rates)), shown(median(rates)), spread, collapsed]
