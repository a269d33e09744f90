"""Tables on the terminal: the arms of a comparison with their spread, paired differences, and what others share."""

from collections.abc import Callable, Collection, Iterable, Sequence
from statistics import fmean, median
from typing import Any

from rich.console import Console
from rich.table import Table

Pair = dict[str, Any]
"""One of the differences that `stacked.statistics.compare_pairs` returns."""

_SIGNIFICANT = 0.05


def print_arms(console: Console, results: dict[str, Any]) -> None:
    """One row an arm: mean and interval, median, range, collapsed runs; the toolbox's own figures below it."""
    table = bare_table(
        "Test error rate, per cent", ("arm", "seeds", "mean [95 % interval]", "median", "range", "collapsed")
    )
    toolbox = results["summary"]["toolbox"]
    for arm, summary in results["summary"]["arms"].items():
        spread = f"{_percent(summary['min'])}-{_percent(summary['max'])}"
        mean = with_interval(summary["mean"], summary["interval_95"], _percent)
        table.add_row(arm, str(summary["n"]), mean, _percent(summary["median"]), spread, str(summary["collapsed"]))
        if arm in toolbox:
            table.add_row(*_theirs(toolbox[arm]), style="dim")
    print_table(console, table)
    console.print(
        "collapsed: runs that recognise less than 5 % of some digit; they count in every column.", soft_wrap=True
    )
    for arm, summary in results["summary"]["arms"].items():
        if summary["failed"]:
            print_failed(console, arm, results["arms"][arm]["failed"].values(), lacking="error rate")
    if any(compared["ks_p"] is not None for compared in toolbox.values()):
        p_values = ", ".join(f"{arm} p = {_rounded(compared['ks_p'])}" for arm, compared in toolbox.items())
        console.print(
            f"Kolmogorov-Smirnov test against the toolbox's runs: {p_values}", highlight=False, soft_wrap=True
        )


def print_pairs(console: Console, pairs: Sequence[Pair], among_healthy: Sequence[Pair] = ()) -> None:
    """One row a pair of arms, as of `compare_pairs`: the differences seed by seed, and those without collapses."""
    columns = ("paired difference", "seeds", "mean [95 % interval]", "median", "p (Holm)", "resolved")
    table = bare_table("Differences between arms with the same seed, points of error rate", columns)
    for pair in pairs:
        table.add_row(" - ".join(pair["pair"]), *_difference(pair), *_verdict(pair, len(pairs)))
    for pair in among_healthy:
        table.add_row(" - ".join(pair["pair"]) + " *", *_difference(pair), style="dim")
    print_table(console, table)
    console.print("p: Wilcoxon signed-rank test, corrected for the pairs that were tested.")
    if among_healthy:
        console.print(
            "* seeds where neither run collapsed: a selection, to see what collapses do; untested.", soft_wrap=True
        )


def print_failed(console: Console, arm: str, reasons: Collection[str], *, lacking: str) -> None:
    """One line on the failed trials of an arm: how many, what they lack, and why."""
    why = ", ".join(sorted(set(reasons)))
    console.print(f"{arm}: {len(reasons)} more failed and have no {lacking}: {why}", markup=False, highlight=False)


def print_table(console: Console, table: Table) -> None:
    """The table as wide as it is: in a narrow window lines are broken, and no figure is cut off."""
    table.width = console.measure(table, options=console.options.update(max_width=1000)).maximum
    console.print(table, crop=False)


def bare_table(title: str, columns: Iterable[str]) -> Table:
    """A table without lines: the first column to the left, figures to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", no_wrap=True)
    return table


def _theirs(compared: dict[str, Any]) -> list[str]:
    rates = compared["error_rate"]
    spread = f"{_percent(min(rates))}-{_percent(max(rates))}"
    collapsed = "-" if compared["collapsed"] is None else str(compared["collapsed"])
    return ["  toolbox", str(len(rates)), _percent(fmean(rates)), _percent(median(rates)), spread, collapsed]


def _difference(pair: dict[str, Any]) -> list[str]:
    mean = with_interval(pair["mean_difference"], pair["interval_95"], _percent)
    return [str(pair["n"]), mean, _percent(pair["median_difference"])]


def _verdict(pair: Pair, n_tests: int) -> list[str]:
    p, smallest = pair["p_holm"], n_tests * 2.0 ** (1 - pair["n"])
    if smallest >= _SIGNIFICANT:  # whatever the differences, no signed-rank test of so few could show one
        return [_rounded(p), "too few"]
    return [_rounded(p), "yes" if p is not None and p < _SIGNIFICANT else "no"]


def with_interval(
    mean: float | None, interval: tuple[float, float] | None, show: Callable[[float | None], str]
) -> str:
    """A mean and its interval, where there is one, as `show` writes each number."""
    if interval is None or interval[0] == interval[1]:  # one seed, or nothing that depends on it
        return show(mean)
    return f"{show(mean)} [{show(interval[0])}, {show(interval[1])}]"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _rounded(p: float | None) -> str:
    return "-" if p is None else f"{p:.2g}"
