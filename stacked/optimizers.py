"""Optimisers: settings, and the step each makes of accumulated gradients.

An optimiser asks the model for gradients with an `Accumulation` of its choice. Stochastic gradient descent asks for
its velocity directly; the others ask for plain gradients and are those of torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stacked.errors import check_count, mismatch
from stacked.gradients import Accumulation
from stacked.settings import hold_number
from stacked.state_files import State, check_tensors, tensors_in

Accumulate = Callable[[Accumulation], Tensor]
"""Adds the gradients of one batch and returns the objective there."""


class Optimizer(ABC):
    """Changes the parameters it was made for."""

    replayable: bool = False
    """Whether the host decides nothing in a step besides the learning rate, so that it may be recorded."""

    @abstractmethod
    def step(self, accumulate: Accumulate, rate_factor: float) -> Tensor:
        """One step, under `torch.no_grad`; the objective before it. `rate_factor` multiplies the learning rate."""

    @abstractmethod
    def state(self) -> State:
        """All that the steps to come depend on, besides the parameters."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Go on as the optimiser did whose state it was.

        Raises
        ------
        StackedError
            When it is that of other parameters.
        """


@dataclass(frozen=True)
class OptimizerSettings(ABC):
    """Settings of an optimiser."""

    learning_rate: float

    def __post_init__(self) -> None:
        hold_number(self, "learning_rate", 0)

    @abstractmethod
    def build(self, parameters: Sequence[nn.Parameter]) -> Optimizer:
        """The optimiser of these parameters."""


@dataclass(frozen=True)
class SGD(OptimizerSettings):
    """Stochastic gradient descent: V <- momentum * V + learning_rate * gradient; W <- W - V.

    Parameters
    ----------
    learning_rate : float
        Step size for a loss summed over units and averaged over rows.
    momentum : float
        From 0 to below 1.
    """

    learning_rate: float = 0.1
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        hold_number(self, "momentum", 0, 1)
        if self.momentum == 1:
            raise mismatch("momentum", expected="less than 1", received="1", remedy="set for instance 0.9")

    def build(self, parameters: Sequence[nn.Parameter]) -> Optimizer:
        return _MomentumDescent(self, parameters)


@dataclass(frozen=True)
class Adam(OptimizerSettings):
    """Adam (Kingma and Ba, 2015), with torch's constants.

    Parameters
    ----------
    learning_rate : float
        Step size.
    """

    learning_rate: float = 0.001

    def build(self, parameters: Sequence[nn.Parameter]) -> Optimizer:
        fused = parameters[0].device.type in ("cpu", "cuda")
        descent = torch.optim.Adam(parameters, self.learning_rate, fused=fused)
        return _TorchDescent(descent, self.learning_rate, replayable=fused)


@dataclass(frozen=True)
class LBFGS(OptimizerSettings):
    """L-BFGS with a strong Wolfe line search; made for `batch_size=None`, all rows at once.

    Parameters
    ----------
    learning_rate : float
        First step of each line search.
    iterations : int
        Iterations on each batch, at most, for torch also stops after 5/4 as many evaluations of the objective; with
        all rows in one batch, iterations an epoch.
    history : int
        Earlier steps that approximate the curvature.
    """

    learning_rate: float = 1.0
    iterations: int = 20
    history: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("iterations", self.iterations)
        check_count("history", self.history)

    def build(self, parameters: Sequence[nn.Parameter]) -> Optimizer:
        descent = torch.optim.LBFGS(
            parameters,
            lr=self.learning_rate,
            max_iter=self.iterations,
            history_size=self.history,
            line_search_fn="strong_wolfe",
        )
        return _TorchDescent(descent, self.learning_rate, replayable=False)


class _MomentumDescent(Optimizer):
    """Keeps the velocity in `parameter.grad`."""

    replayable = True

    def __init__(self, settings: SGD, parameters: Sequence[nn.Parameter]) -> None:
        self._settings, self._parameters = settings, tuple(parameters)
        self._velocities = tuple(_fresh_gradients(parameters))

    def step(self, accumulate: Accumulate, rate_factor: float) -> Tensor:
        value = accumulate(Accumulation(self._settings.momentum, self._settings.learning_rate * rate_factor))
        torch._foreach_sub_(self._parameters, self._velocities)
        return value

    def state(self) -> State:
        return {str(number): velocity for number, velocity in enumerate(self._velocities)}

    def restore(self, state: State) -> None:
        check_tensors(state, self.state())
        for name, velocity in self.state().items():
            velocity.copy_(state[name])


class _TorchDescent(Optimizer):
    """One of torch's optimisers, fed with plain gradients."""

    def __init__(self, optimizer: torch.optim.Optimizer, learning_rate: float, *, replayable: bool) -> None:
        self._optimizer, self._learning_rate, self.replayable = optimizer, learning_rate, replayable
        for group in optimizer.param_groups:
            _fresh_gradients(group["params"])

    def step(self, accumulate: Accumulate, rate_factor: float) -> Tensor:
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate * rate_factor
            if group["params"][0].is_cuda and self.replayable:  # torch wants to be told, and only then
                group["capturable"] = torch.cuda.is_current_stream_capturing()

        @torch.no_grad()  # torch's optimisers turn autograd on for what they call
        def objective() -> Any:
            return accumulate(Accumulation(0.0, 1.0))

        value: Any = self._optimizer.step(objective)
        return torch.as_tensor(value)

    def state(self) -> State:
        return {str(number): held for number, held in self._optimizer.state_dict()["state"].items()}

    def restore(self, state: State) -> None:
        parameters = [parameter for group in self._optimizer.param_groups for parameter in group["params"]]
        in_one_piece = torch.Size([sum(map(torch.numel, parameters))])  # as L-BFGS has them
        stored = {int(number): held for number, held in state.items()}
        for number, held in stored.items():
            _check_shapes(held, (torch.Size(), parameters[number].shape, in_one_piece))
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": stored, "param_groups": groups})


def _check_shapes(held: Any, known: Sequence[torch.Size]) -> None:
    """Raise where a tensor has another shape than the known; torch would compute beyond its end."""
    for tensor in tensors_in(held):
        if tensor.shape not in known:
            expected, received = f"tensors of shape {tuple(known[1])}", f"{tuple(tensor.shape)}"
            raise mismatch("state of the optimiser", expected=expected, received=received, remedy="start anew")


def _fresh_gradients(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """The gradients of the parameters, made zero."""
    gradients = []
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
        gradients.append(parameter.grad)
    return gradients
