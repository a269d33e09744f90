"""How losses went: a chart for every training of more than one epoch, and the figures of the last epochs."""

from collections.abc import Mapping, Sequence
from itertools import chain

from stacked.report.charts import Curve, Ticks, legend, lines, ticks_of
from stacked.report.contents import Contents, Record
from stacked.report.figures import figure, side_by_side
from stacked.report.html import Html, joined
from stacked.report.scales import Scale, drawable, scale_of
from stacked.report.tables import table
from stacked.report.words import number, spelled

LOSSES = {"loss": "training", "validation_loss": "validation"}
_HIDDEN = {"learning_rate", "rows_per_second"}

ByArm = Mapping[str, Sequence[Record]]


def curves(contents: Contents) -> Html | None:
    """Losses of pretraining and fine-tuning."""
    if not contents.trainings:
        return None
    arms = list(dict.fromkeys(chain.from_iterable(contents.trainings.values())))
    found = {name: _curves(by_arm, arms) for name, by_arm in contents.trainings.items()}
    drawn = [_figure(name, drawable_ones) for name, drawable_ones in found.items() if drawable_ones]
    return joined(side_by_side(drawn) if drawn else None, _last_epochs(contents.trainings))


def _curves(by_arm: ByArm, arms: Sequence[str]) -> list[Curve]:
    """Every loss of every arm that has several epochs, in numbers yet; an arm has one colour in all charts."""
    found = []
    for arm, records in by_arm.items():
        for loss, kind in LOSSES.items():
            points = [(float(record["epoch"]), float(record[loss])) for record in records if _has(record, loss)]
            name = f"{arm}, {kind}" if arm and loss != "loss" else arm or kind
            if len(points) > 1:
                found.append(Curve(name, arms.index(arm), loss != "loss", points))
    return found


def _has(record: Record, loss: str) -> bool:
    return drawable(record.get("epoch")) and drawable(record.get(loss))


def _figure(training: str, found: Sequence[Curve]) -> Html:
    points = [point for curve in found for point in curve.points]
    x = scale_of([epoch for epoch, _ in points], bent_beyond=float("inf"), margin=0.02)
    y = scale_of([loss for _, loss in points])
    placed = [curve._replace(points=[(x.place(at), y.place(loss)) for at, loss in curve.points]) for curve in found]
    ends = "; ".join(f"{one.name} from {number(one.points[0][1])} to {number(one.points[-1][1])}" for one in found)
    down = ticks_of(y, {tick: number(tick, ".4g") for tick in y.ticks()})
    drawn = lines(placed, _whole(x), down, f"Loss of {training} by epoch: {ends}")
    note = "Loss by epoch; logarithmic axis." if y.logarithmic else "Loss by epoch."
    return figure(training.capitalize(), note, drawn, legend(placed))


def _whole(x: Scale) -> Ticks:
    """Epochs are whole numbers."""
    return ticks_of(x, {tick: number(int(tick)) for tick in x.ticks() if tick == int(tick) and tick > 0})


def _last_epochs(trainings: Mapping[str, ByArm]) -> Html:
    last = {
        ", ".join(part for part in (training, arm) if part): records[-1]
        for training, by_arm in trainings.items()
        for arm, records in by_arm.items()
        if records
    }
    figures = [name for name in dict.fromkeys(chain.from_iterable(last.values())) if name not in _HIDDEN]
    body = [[name, *(number(record.get(figure)) for figure in figures)] for name, record in last.items()]
    return table("The last epoch of each training", ("training", *map(spelled, figures)), body)
