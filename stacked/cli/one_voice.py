"""How a command that runs as several ranks speaks: what ends them is told once, or by each rank for itself."""

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from stacked.errors import DivergedError, StackedError

if TYPE_CHECKING:
    from stacked.ranks import Ranks

SECONDS_FOR_SIGNALS = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    before = [signal.signal(signal.SIGINT, _interrupt), signal.signal(signal.SIGTERM, _end)]
    try:
        with _awaiting_signals():
            yield
    except BaseException as error:
        _heed_no_more()
        raise _told(error, ranks.rank) from error
    for number, handler in zip(_SIGNALS, before, strict=True):
        signal.signal(number, handler)


@contextlib.contextmanager
def _awaiting_signals() -> Iterator[None]:
    """When others are lost, give the signal that may have ended them, such as Ctrl-C, time to arrive here too."""
    from stacked.ranks import LostError  # noqa: PLC0415 - slow to import

    try:
        yield
    except LostError:
        time.sleep(SECONDS_FOR_SIGNALS)
        raise


def _told(error: BaseException, rank: int) -> BaseException:
    from stacked.ranks import LostError, RefusedElsewhereError  # noqa: PLC0415 - slow to import

    if isinstance(error, _Ended):
        why, remedy = "told to end, as when another process of the training was lost", "the same command goes on"
        return StackedError(f"rank {rank}: {why}; {remedy} from the last checkpoint")
    if isinstance(error, RefusedElsewhereError) or (rank > 0 and isinstance(error, DivergedError)):
        return SystemExit(2)
    if rank > 0 and isinstance(error, KeyboardInterrupt):
        return SystemExit(130)
    if rank > 0 and isinstance(error, StackedError) and not isinstance(error, LostError):
        return StackedError(f"rank {rank}: {error}")
    return error


def _interrupt(number: int, frame: FrameType | None) -> None:
    _heed_no_more()
    raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> None:
    _heed_no_more()
    raise _Ended


def _heed_no_more() -> None:
    """Ignore the signals to come: torchrun passes Ctrl-C on to all, who have had it, and ends all when one fails."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
