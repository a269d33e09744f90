"""What the verbs that train have in common: flags for whoever watches."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stacked.callbacks import Callback

Log = Annotated[
    str | None,
    typer.Option(
        "--log",
        "--log-file",  # torchrun on Python 3.11 takes any --log for an abbreviation of its own options
        help="Keep the figures of every epoch in a file that ends in .csv or .jsonl.",
        metavar="FILE",
    ),
]
Tensorboard = Annotated[
    str | None, typer.Option(help="Keep the figures of every epoch in a folder for TensorBoard.", metavar="DIR")
]


def watchers(log: str | None, tensorboard: str | None) -> list["Callback"]:
    """The callbacks that the flags ask for."""
    watching: list[Callback] = []
    if log is not None:
        from stacked.logs import LogFile  # noqa: PLC0415 - slow to import

        watching.append(LogFile(log))
    if tensorboard is not None:
        from stacked.tensorboards import TensorBoard  # noqa: PLC0415

        watching.append(TensorBoard(tensorboard))
    return watching
