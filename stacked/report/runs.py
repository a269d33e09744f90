"""Every run: as a dot, and as a number."""

from statistics import median

from stacked.report.charts import Dot, Strip, strips, ticks_of
from stacked.report.contents import ArmFigures, Comparison, Contents, Measure
from stacked.report.figures import figure, side_by_side
from stacked.report.html import Html, element, joined
from stacked.report.scales import Scale, drawable, scale_of
from stacked.report.tables import table


def runs(contents: Contents) -> Html | None:
    """A strip of dots for each arm, for every measure, and all figures below."""
    drawn = [_figure(comparison) for comparison in contents.comparisons if _known(comparison)]
    if not drawn:
        return None
    return joined(side_by_side(drawn), *map(_every_run, contents.comparisons))


def _known(comparison: Comparison) -> list[float]:
    return [value for arm in comparison.arms for value in arm.values.values() if drawable(value)]


def _figure(comparison: Comparison) -> Html:
    measure, scale = comparison.measure, scale_of(_known(comparison), bent_beyond=4)
    rows = [_strip(arm, scale, measure) for arm in comparison.arms if arm.values]
    ticks = ticks_of(scale, {tick: measure.tick(tick) for tick in scale.ticks()})
    medians = "; ".join(f"{arm.name} {_in_words(arm, measure)}" for arm in comparison.arms if arm.values)
    bent = "; logarithmic axis" if scale.logarithmic else ""
    hollow = " Hollow: a collapsed run." if any(arm.collapsed for arm in comparison.arms) else ""
    drawn = strips(rows, ticks, f"{measure.name} of every run: {medians}")
    return figure(measure.name, f"Each dot is a run, the bar marks the median{bent}.{hollow}", drawn)


def _strip(arm: ArmFigures, scale: Scale, measure: Measure) -> Strip:
    known = {seed: value for seed, value in sorted(arm.values.items()) if drawable(value)}
    dots = [
        Dot(scale.place(value), f"seed {seed}: {measure.shown(value)}{measure.unit}", seed in arm.collapsed)
        for seed, value in known.items()
    ]
    return Strip(arm.name, dots, scale.place(median(known.values())))


def _in_words(arm: ArmFigures, measure: Measure) -> str:
    low, middle, high = (measure.shown(f(arm.values.values())) for f in (min, median, max))
    return f"from {low} to {high}, median {middle}"


def _every_run(comparison: Comparison) -> Html:
    measure, arms = comparison.measure, comparison.arms
    seeds = sorted({seed for arm in arms for seed in arm.values} | {int(seed) for arm in arms for seed in arm.failed})
    lines = [[str(seed), *(_cell(arm, seed, measure) for arm in arms)] for seed in seeds]
    title = f"{measure.name} of every run" + (", per cent" if measure.is_share else "")
    shown = table(title, ("seed", *(arm.name for arm in arms)), lines)
    return element("details", element("summary", f"{measure.name}, run by run"), shown)


def _cell(arm: ArmFigures, seed: int, measure: Measure) -> str:
    if str(seed) in arm.failed:
        return "failed"
    return measure.shown(arm.values.get(seed)) + (" (collapsed)" if seed in arm.collapsed else "")
