"""One thread that works ahead, by one job, of who uses the results."""

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

NAME = "stacked-reads-ahead"
"""Of the thread, for those who look at what a process does."""


def one_ahead(work: Callable[[Job, threading.Event], Result], jobs: Iterable[Job]) -> Generator[Result]:
    """The results of all jobs in their order, each worked on while the one before is in use.

    What `work` raises is raised here. When a result is asked for, those before it are no longer in use, so that two
    places suffice for all results.

    Parameters
    ----------
    work : callable
        Does one job in the thread. It should end early once the event is set: nobody waits for its result then.
    jobs : iterable
        Drawn in the thread of the caller, one job ahead.

    Notes
    -----
    The thread ends with the generator: close it, for an exception that leaves the loop over it does not.
    """
    stopping = threading.Event()
    thread = ThreadPoolExecutor(1, thread_name_prefix=NAME)
    waiting: Future[Result] | None = None
    try:
        for job in jobs:
            coming = thread.submit(work, job, stopping)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
        if waiting is not None:
            yield waiting.result()
    finally:
        stopping.set()
        thread.shutdown(cancel_futures=True)
