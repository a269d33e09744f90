"""How a command that runs as several ranks speaks: what ends them is told once, or by each rank for itself."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from stacked.errors import DivergedError, StackedError

if TYPE_CHECKING:
    from stacked.ranks import Ranks


class _Ended(BaseException):
    """The process was told to end, as torchrun tells all ranks when one has failed."""


@contextlib.contextmanager
def one_voice(ranks: "Ranks") -> Iterator[None]:
    """Let rank 0 tell what all know, and the others what only they know; for a command that ends afterwards.

    Raises
    ------
    StackedError
        What is to be told.
    SystemExit
        Where another rank tells it.
    """
    if ranks.size == 1:
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except BaseException as error:
        for number in (signal.SIGTERM, signal.SIGINT):  # which torchrun sends to all when the first has ended
            signal.signal(number, signal.SIG_IGN)
        raise _told(error, ranks.rank) from error
    signal.signal(signal.SIGTERM, before)


def _told(error: BaseException, rank: int) -> BaseException:
    from stacked.ranks import LostError, RefusedElsewhereError  # noqa: PLC0415 - slow to import

    if isinstance(error, _Ended):
        goes_on = "the same command goes on from the last checkpoint"
        return StackedError(f"rank {rank}: ended from outside, maybe for another process of the training; {goes_on}")
    if isinstance(error, RefusedElsewhereError) or (rank > 0 and isinstance(error, DivergedError)):
        return SystemExit(2)
    if rank > 0 and isinstance(error, KeyboardInterrupt):
        return SystemExit(130)
    if rank > 0 and isinstance(error, StackedError) and not isinstance(error, LostError):
        return StackedError(f"rank {rank}: {error}")
    return error


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended
