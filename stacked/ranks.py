"""The processes that train one model together, each told its rank: the only file that knows how they talk.

Every rank runs the same program on the same rows. What they exchange goes through `torch.distributed`: gloo between
CPUs, NCCL between GPUs. Nothing is ambient: who trains with others is handed its `Ranks`.
"""

import contextlib
import datetime
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, final

import torch
from torch import Tensor

from stacked.differences import differences
from stacked.errors import StackedError, StackedWarning, mismatch
from stacked.examples import Share

TIMEOUT = datetime.timedelta(minutes=30)
"""How long a rank waits for others that say nothing; the end of a process is noticed at once."""


class LostError(StackedError):
    """Another process of the training has ended, or says nothing any more."""


class RefusedElsewhereError(StackedError):
    """Another rank found something that all must heed, and says so itself."""


@final
class Ranks:
    """One of the processes that train one model together, and what it asks of the others.

    All ranks call the same methods in the same order. For a single process they do nothing.

    Parameters
    ----------
    rank : int
        Which one this is, from 0.
    size : int
        How many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def share(self) -> Share:
        """The part of every minibatch that is this rank's."""
        return Share(self.rank, self.size)

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return self.rank == 0

    def sum_(self, values: Tensor) -> Tensor:
        """Replace values by their sums over all ranks, which have the same bits everywhere."""
        if self.size > 1:
            with self._noticing_loss():
                _dist().all_reduce(values)
        return values

    def equal_(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of rank 0."""
        if self.size > 1:
            with self._noticing_loss():
                for tensor in tensors:
                    _dist().broadcast(tensor, 0)

    def gather(self, fact: Any) -> list[Any]:
        """What each rank has to say, fit for JSON, by rank."""
        if self.size == 1:
            return [fact]
        text = torch.frombuffer(bytearray(json.dumps(fact).encode()), dtype=torch.uint8)
        lengths = [int(length) for length in self._all(torch.tensor(len(text)))]
        padded = torch.cat([text, text.new_zeros(max(lengths) - len(text))])
        return [
            json.loads(said[:length].numpy().tobytes())
            for said, length in zip(self._all(padded), lengths, strict=True)
        ]

    def check_device(self, device: torch.device) -> None:
        """Raise unless several ranks can compute there."""
        if self.size > 1 and device.type not in ("cpu", "cuda"):
            expected, remedy = "cpu or cuda for several processes", "choose one of these, or start one process"
            raise mismatch("device", expected=expected, received=repr(device.type), remedy=remedy)
        if self.size > 1 and device.type == "cuda" and device.index is not None:
            expected, remedy = "'cuda', of which every process takes one of its own", "leave the number out"
            raise mismatch("device", expected=expected, received=repr(str(device)), remedy=remedy)

    def wait(self) -> None:
        """Wait until all ranks have come so far."""
        self.gather(None)

    def check_same(self, what: str, fact: Any) -> None:
        """Raise unless all say the same, fit for JSON; rank 0 tells, and the others raise `RefusedElsewhereError`."""
        facts = self.gather(fact)
        for rank, other in enumerate(facts):
            if other != facts[0]:
                own, theirs = differences({what: other}, {what: facts[0]})
                expected, received = f"the same on all ranks, {own} on rank 0", f"{theirs} on rank {rank}"
                remedy = "give all the same rows and settings, and a folder that all see"
                error = mismatch(what, expected=expected, received=received, remedy=remedy)
                raise error if self.leads else RefusedElsewhereError(str(error))

    @contextlib.contextmanager
    def agreeing(self) -> Iterator[None]:
        """All go on, or none: an error that any rank finds in here ends all, and is told by the first that found it.

        Raises
        ------
        RefusedElsewhereError
            On the other ranks.
        """
        error = None
        try:
            yield
        except StackedError as found:
            error = found
        said = self.gather(None if error is None else str(error))
        first = next((rank for rank, words in enumerate(said) if words is not None), None)
        if first is not None and first != self.rank:
            raise RefusedElsewhereError(f"rank {first}: {said[first]}") from error
        if error is not None:
            raise error

    @contextlib.contextmanager
    def one_warning(self) -> Iterator[None]:
        """What all ranks would warn of in here, rank 0 warns of."""
        with contextlib.ExitStack() as stack:
            if not self.leads:
                stack.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore", StackedWarning)
            yield

    def _all(self, values: Tensor) -> list[Tensor]:
        """The values of every rank, which have the same shape everywhere."""
        places = [torch.empty_like(values) for _ in range(self.size)]
        with self._noticing_loss():
            _dist().all_gather(places, values)
        return places

    @contextlib.contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            what = f"rank {self.rank}: another process of the training was lost ({reason})"
            raise LostError(f"{what}; the same command goes on from the last checkpoint") from error


ALONE = Ranks()
"""A process that trains by itself."""


@contextlib.contextmanager
def joined_ranks(device: str = "cpu") -> Iterator[Ranks]:
    """The ranks of a program that torchrun has started several times; one on its own is `ALONE`.

    Parameters
    ----------
    device : str
        Where the ranks are to compute. With "cuda" each takes the GPU of its number on the machine.

    Raises
    ------
    StackedError
        When there are fewer GPUs than ranks, or the others cannot be reached.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        yield ALONE
        return
    _join(device)
    try:
        yield Ranks(_dist().get_rank(), _dist().get_world_size())
    finally:
        _dist().destroy_process_group()


def _join(device: str) -> None:
    on_gpu = device.startswith("cuda") and torch.cuda.is_available()
    if on_gpu:
        _take_gpu(int(os.environ["LOCAL_RANK"]), torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    try:
        store, rank, size = next(_dist().rendezvous("env://", timeout=TIMEOUT))
        # torchrun keeps the store when it starts the ranks of a machine again, with the addresses of those before.
        if os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]:
            store = _dist().PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT')}", store)
        _dist().init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        remedy = "start them by torchrun, all on machines that reach each other"
        raise StackedError(f"the other processes of the training cannot be reached ({error}); {remedy}") from error


def _take_gpu(number: int, there_are: int) -> None:
    if number >= there_are:
        expected, received = f"at most {there_are} processes on this machine, one a GPU", f"number {number + 1}"
        raise mismatch("device", expected=expected, received=received, remedy="start fewer, or pass device='cpu'")
    torch.cuda.set_device(number)


def _dist() -> Any:
    import torch.distributed  # noqa: PLC0415 - only who trains with others needs it

    return torch.distributed
