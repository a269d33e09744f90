"""Steps that are recorded once and replayed, for small ones spend their time on being launched.

A CUDA graph is a recording of all that a step asks of the device, with its addresses. So what a step is given is
copied into buffers that stay, and the value it gives is copied out. Random numbers are drawn anew at each replay,
from generators that the graph knows. What the host decides is decided once: a recording serves one shape and one
learning rate.
"""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stacked.errors import StackedWarning
from stacked.randomness import DeviceStream, Stream

Work = Callable[[], Tensor]

WARM_UP = 3
"""Steps of each shape that are made before one is recorded, for libraries set themselves up in the first."""


class Recorder:
    """Replays by calling again: what a recording does to the order of things, without one."""

    def aside(self, work: Work) -> Tensor:
        """Do it before it is recorded."""
        return work()

    def record(self, work: Work) -> Work:
        """What does it again, each time it is called; it has not been done yet."""
        return work

    def give_up(self) -> None:
        """Make good what a recording that failed has left."""


class CudaRecorder(Recorder):
    """Records CUDA graphs.

    Parameters
    ----------
    device : torch.device
        Where the work is done.
    noise : sequence of DeviceStream
        The random streams that the work draws from.
    """

    def __init__(self, device: torch.device, noise: Sequence[DeviceStream]) -> None:
        self._device, self._noise = device, noise
        self._side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._before: list[Tensor] = []

    def aside(self, work: Work) -> Tensor:
        here = torch.cuda.current_stream(self._device)
        self._side.wait_stream(here)
        with torch.cuda.stream(self._side):
            value = work()
        here.wait_stream(self._side)
        return value

    def record(self, work: Work) -> Work:
        self._before = [stream.state() for stream in self._noise]
        graph = torch.cuda.CUDAGraph()
        for stream in self._noise:
            stream.register(graph)
        # The outer context puts the stream back where a recording fails, which the inner one does not.
        with (
            torch.cuda.stream(self._side),
            torch.cuda.graph(graph, stream=self._side, capture_error_mode="thread_local"),
        ):
            value = work()

        def replay() -> Tensor:
            graph.replay()
            return value.clone()

        return replay

    def give_up(self) -> None:
        for stream, state in zip(self._noise, self._before, strict=True):
            stream.restore(state)  # by a new generator, for the old one takes itself for recorded


class Replayed:
    """A step that is recorded, and replayed from then on.

    Parameters
    ----------
    step : callable
        From tensors, or None, to the objective, by the same work for the same shapes.
    recorder : Recorder
        Makes the recordings. Where it fails, steps are made as ever, with a warning that says why.
    """

    def __init__(self, step: Callable[..., Tensor], recorder: Recorder) -> None:
        self._step, self._recorder, self._failed = step, recorder, False
        self._kept: dict[tuple[torch.Size | None, ...], _Recording] = {}

    def __call__(self, rate_factor: float, *inputs: Tensor | None) -> Tensor:
        """The step on these inputs, at the learning rate with this factor."""
        if self._failed:
            return self._step(*inputs)
        shapes = tuple(None if x is None else x.shape for x in inputs)
        if shapes not in self._kept:
            self._kept[shapes] = _Recording(self._step, inputs)
        recording = self._kept[shapes]
        recording.fill(inputs)
        recording.use(rate_factor)
        if recording.steps < WARM_UP:
            recording.steps += 1
            return self._recorder.aside(recording.work)
        try:
            replay = recording.replay_by(self._recorder)
        except RuntimeError as error:
            self._give_up(error)
            return self._step(*inputs)
        return replay()

    def _give_up(self, error: RuntimeError) -> None:
        self._failed = True
        self._kept.clear()
        self._recorder.give_up()
        reason = str(error).partition("\n")[0]
        text = f"steps are launched one by one, for they could not be recorded ({reason})"
        warnings.warn(text, StackedWarning, stacklevel=2)


class _Recording:
    """What is kept for inputs of one shape: buffers, and the recording at the last learning rate.

    `steps` are those made at this learning rate before it was recorded. So the one smaller minibatch of an epoch is
    never recorded where every epoch has a learning rate of its own.
    """

    def __init__(self, step: Callable[..., Tensor], inputs: Sequence[Tensor | None]) -> None:
        self._step, self.steps = step, 0
        self._buffers = [None if x is None else torch.empty_like(x) for x in inputs]
        self._replay: Work | None = None
        self._rate_factor = 1.0

    def fill(self, inputs: Sequence[Tensor | None]) -> None:
        """Take the inputs into the buffers."""
        for buffer, x in zip(self._buffers, inputs, strict=True):
            if buffer is not None and x is not None:
                buffer.copy_(x)

    def work(self) -> Tensor:
        """The step on what the buffers hold."""
        return self._step(*self._buffers)

    def use(self, rate_factor: float) -> None:
        """Go on at this learning rate; a recording at another one gives its memory back."""
        if rate_factor != self._rate_factor:
            self._replay, self._rate_factor, self.steps = None, rate_factor, 0

    def replay_by(self, recorder: Recorder) -> Work:
        """The recording."""
        if self._replay is None:
            self._replay = recorder.record(self.work)
        return self._replay


def recorder_for(device: torch.device, noise: Sequence[Stream]) -> Recorder | None:
    """What records steps that draw from these streams; None where steps on the device are not recorded."""
    if device.type != "cuda" or not all(isinstance(stream, DeviceStream) for stream in noise):
        return None
    return CudaRecorder(device, [stream for stream in noise if isinstance(stream, DeviceStream)])
