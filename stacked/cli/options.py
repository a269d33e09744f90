"""Arguments and options that several verbs have."""

from typing import Annotated

import typer

from stacked.tables import FORMATS


def _argument(metavar: str, text: str) -> typer.models.ArgumentInfo:
    argument: typer.models.ArgumentInfo = typer.Argument(help=text, metavar=metavar, show_default=False)
    return argument


Rows = Annotated[
    str,
    _argument("ROWS", f"{FORMATS}. Bytes of images are scaled to [0, 1]."),
]
Model = Annotated[str, _argument("MODEL", "The folder of a saved model.")]
Labels = Annotated[
    str | None,
    typer.Option(
        help="A column of the table, a dataset of the same file, another file, or, of images, folder for those in "
        "which they lie. Rows without a label are used in pretraining only.",
        metavar="NAME",
        show_default=False,
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(help="Leave a column out; may be given several times.", metavar="COLUMN", show_default=False),
]
Task = Annotated[
    str, typer.Option(help="classification or regression; auto takes text and few whole numbers for classes.")
]
ScalingKind = Annotated[
    str,
    typer.Option(
        "--scaling",
        help="none, min_max or standard, learnt on the rows and kept with the model; auto is min_max where rows "
        "leave [0, 1], and none otherwise.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there, once the new is complete.")]
Depth = Annotated[int | None, typer.Option(help="Layers to go up.", show_default="all")]

Epochs = Annotated[int | None, typer.Option(help="Passes over the rows, for each training.", show_default="10")]
BatchSize = Annotated[
    int | None, typer.Option(help="Rows a step.", show_default="100, or a tenth of fewer rows than that")
]
Optimizer = Annotated[str, typer.Option(help="sgd or adam.")]
LearningRate = Annotated[float | None, typer.Option(help="Length of a step.", show_default="0.001, of sgd 0.1")]
Momentum = Annotated[float | None, typer.Option(help="Of sgd, from 0 to below 1.", show_default="0")]
ValidationFraction = Annotated[
    float | None, typer.Option(help="Share of the rows to measure on, not trained on.", show_default="0")
]
Patience = Annotated[
    int | None,
    typer.Option(
        help="End a training after so many epochs without a better validation figure.", show_default="never"
    ),
]
Seed = Annotated[int, typer.Option(help="Determines weights, orders and noise.")]
Dtype = Annotated[str, typer.Option(help="float32 or float64.")]
Precision = Annotated[
    str | None, typer.Option(help="Of matrix products in training: float32, tf32 or bf16.", show_default="float32")
]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
