"""Tables on the terminal: the arms of a comparison with their spread, and paired differences."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stacked.error_table import ERROR_RATE, MEASURES, RMSE, Measure
from stacked.statistics import Pair, verdicts

WILCOXON = (
    "p: Wilcoxon signed-rank test, corrected for the pairs that were tested. It is about the pseudomedian, that of\n"
    "the averages of every two seeds' differences, which a few runs that are far off hardly move, unlike the mean."
)
CORRECTED = (
    "Every seed draws its own test rows, so that runs share rows; intervals and p allow for it: corrected resampled\n"
    "t test (Nadeau and Bengio, 2003), with Holm's correction for the pairs that were tested."
)


def print_comparison(results: Mapping[str, Any]) -> None:
    """The tables of a comparison on one's own data, as `own_comparison.compare_on` made it, and what it says."""
    console, summary, measure = Console(), results["summary"], MEASURES[results["measure"]]
    print_arms(console, results, measure)
    if any(arm["collapsed"] for arm in summary["arms"].values()):
        note = "collapsed: runs that recognise less than 5 % of some class; they count in every column."
        console.print(note, soft_wrap=True)
    print_failures(console, results, lacking="error")
    print_pairs(console, summary["pairs"], (), measure, results["test_to_train"])
    console.print(results["conclusion"], soft_wrap=True, markup=False)


def print_arms(
    console: Console,
    results: Mapping[str, Any],
    measure: Measure = ERROR_RATE,
    below: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """One row an arm: mean and interval, median, range, collapsed runs or R2; a row below an arm where there is one.

    Parameters
    ----------
    console : Console
        Where to print.
    results : mapping
        What `tabulate` made.
    measure : Measure
        What it was made of.
    below : mapping, optional
        Cells of a further row, by the arm above it.
    """
    last = "R2" if measure is RMSE else "collapsed"
    title = measure.title[0].upper() + measure.title[1:]
    table = bare_table(title, ("arm", "seeds", "mean [95 % interval]", "median", "range", last))
    for arm, summary in results["summary"]["arms"].items():
        spread = f"{measure.shown(summary['min'])}-{measure.shown(summary['max'])}"
        mean = with_interval(summary["mean"], summary["interval_95"], measure.shown)
        seen = _explained(summary["mean_r2"]) if measure is RMSE else str(summary["collapsed"])
        table.add_row(escape(arm), str(summary["n"]), mean, measure.shown(summary["median"]), spread, seen)
        if below and arm in below:
            table.add_row(*below[arm], style="dim")
    print_table(console, table)


def print_failures(console: Console, results: Mapping[str, Any], lacking: str) -> None:
    """One line for each arm with failed runs."""
    for arm, summary in results["summary"]["arms"].items():
        if summary["failed"]:
            print_failed(console, arm, results["arms"][arm]["failed"].values(), lacking=lacking)


def print_pairs(
    console: Console,
    pairs: Sequence[Pair],
    among_healthy: Sequence[Pair] = (),
    measure: Measure = ERROR_RATE,
    test_to_train: float = 0.0,
) -> None:
    """One row a pair of arms, as of `compare_pairs`: the differences seed by seed, and those without collapses."""
    second = "median" if test_to_train else "pseudomedian [95 % interval]"
    columns = ("paired difference", "seeds", "mean [95 % interval]", second, "p (Holm)", "resolved")
    unit = f", {measure.unit} of error rate" if measure.unit else ""
    table = bare_table(f"Differences between arms with the same seed{unit}", columns)
    for pair, verdict in zip(pairs, verdicts(pairs, test_to_train), strict=True):
        told = [rounded(pair["p_holm"]), verdict]
        table.add_row(escape(" - ".join(pair["pair"])), *_difference(pair, measure, test_to_train), *told)
    for pair in among_healthy:
        name = escape(" - ".join(pair["pair"]) + " *")
        table.add_row(name, *_difference(pair, measure, test_to_train), style="dim")
    print_table(console, table)
    console.print(CORRECTED if test_to_train else WILCOXON, soft_wrap=True)
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


def with_interval(
    mean: float | None, interval: tuple[float, float] | None, show: Callable[[float | None], str]
) -> str:
    """A mean and its interval, where there is one, as `show` writes each number."""
    if interval is None or interval[0] == interval[1]:  # one seed, or nothing that depends on it
        return show(mean)
    return f"{show(mean)} [{show(interval[0])}, {show(interval[1])}]"


def rounded(p: float | None) -> str:
    """A p-value for people."""
    return "-" if p is None else f"{p:.2g}"


def _difference(pair: Pair, measure: Measure, test_to_train: float) -> list[str]:
    mean = with_interval(pair["mean_difference"], pair["interval_95"], measure.shown)
    if test_to_train:
        return [str(pair["n"]), mean, measure.shown(pair["median_difference"])]
    middle = with_interval(pair["pseudomedian"], pair["pseudomedian_interval_95"], measure.shown)
    return [str(pair["n"]), mean, middle]


def _explained(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"
