"""How losses went: a chart for every training of more than one epoch, and the figures of the last epochs."""

from collections.abc import Mapping, Sequence
from itertools import chain

from stacked.report.charts import Ticks, legend, lines, ticks_of
from stacked.report.contents import Contents, Record
from stacked.report.html import Html, element, joined
from stacked.report.scales import Scale, drawable, scale_of
from stacked.report.tables import table
from stacked.report.words import number, spelled

LOSSES = {"loss": "", "validation_loss": "validation"}

Curves = dict[str, list[tuple[float, float]]]


def curves(contents: Contents) -> Html | None:
    """Losses of pretraining and fine-tuning."""
    if not contents.trainings:
        return None
    drawn = [_figure(name, by_arm) for name, by_arm in contents.trainings.items()]
    charts = element("div", *drawn, class_="charts") if any(drawn) else None
    return joined(charts, _last_epochs(contents.trainings))


def _figure(training: str, by_arm: Mapping[str, Sequence[Record]]) -> Html | None:
    found = {name: points for name, points in _curves(by_arm).items() if len(points) > 1}
    if not found:
        return None
    x = scale_of([epoch for points in found.values() for epoch, _ in points], bent_beyond=float("inf"), margin=0.02)
    y = scale_of(loss for points in found.values() for _, loss in points)
    placed = {name: [(x.place(epoch), y.place(loss)) for epoch, loss in points] for name, points in found.items()}
    down = ticks_of(y, {tick: number(tick) for tick in y.ticks()})
    ends = "; ".join(f"{name or 'loss'} from {number(p[0][1])} to {number(p[-1][1])}" for name, p in found.items())
    drawn = lines(placed, _whole(x), down, f"Loss of {training} by epoch: {ends}")
    caption = f"Loss of {training} by epoch" + (", logarithmic axis." if y.logarithmic else ".")
    names = [name or "training" for name in found]
    return element("figure", drawn, legend(names), element("figcaption", caption))


def _curves(by_arm: Mapping[str, Sequence[Record]]) -> Curves:
    found = {}
    for arm, records in by_arm.items():
        for loss, kind in LOSSES.items():
            points = [(float(record["epoch"]), float(record[loss])) for record in records if _has(record, loss)]
            found[", ".join(part for part in (arm, kind) if part)] = points
    return found


def _has(record: Record, loss: str) -> bool:
    return drawable(record.get("epoch")) and drawable(record.get(loss))


def _whole(x: Scale) -> Ticks:
    """Epochs are whole numbers."""
    return ticks_of(x, {tick: number(int(tick)) for tick in x.ticks() if tick == int(tick) and tick > 0})


def _last_epochs(trainings: Mapping[str, Mapping[str, Sequence[Record]]]) -> Html:
    last = {
        ", ".join(part for part in (training, arm) if part): records[-1]
        for training, by_arm in trainings.items()
        for arm, records in by_arm.items()
        if records
    }
    hidden = {"learning_rate", "rows_per_second"}
    figures = [name for name in dict.fromkeys(chain.from_iterable(last.values())) if name not in hidden]
    body = [[name, *(number(record.get(figure)) for figure in figures)] for name, record in last.items()]
    return table("The last epoch of each training", ("training", *map(spelled, figures)), body)
