"""A step of several trainings at once: their parameters in one piece of memory, changed by one optimiser.

On an accelerator the gradients by hand of all models are one batched computation. On a CPU they are computed model
after model, for there torch's vectorised functions give other last bits at other places of a longer tensor; so each
training has the bits it has alone. Models that only autograd can train are computed one after the other everywhere,
and where there is a line search, which is one for each model, every training steps by itself.
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from stacked.abreast import put_abreast, put_apart
from stacked.batches import Minibatch
from stacked.captured import Replayed, recorder_for
from stacked.gradients import Accumulation, CodePenalty
from stacked.model import Batch, DenseModel
from stacked.optimizers import LBFGS
from stacked.precision import products_in, tensor_cores
from stacked.state_files import State
from stacked.training import Training


class JointSteps(Protocol):
    """How several trainings step."""

    def step(self, minibatches: Sequence[Minibatch]) -> Sequence[Tensor]:
        """One step of each on its minibatch, under `torch.no_grad`; their objectives before it."""
        ...

    def part(self, going: Sequence[Training]) -> None:
        """Give each what is its own again, and an optimiser to those that go on."""
        ...


def joint_steps(trainings: Sequence[Training], batched: bool | None = None) -> JointSteps:
    """What steps these trainings, which are at the same place.

    Parameters
    ----------
    trainings : sequence of Training
        Alike but for their weights, rows and random numbers.
    batched : bool, optional
        Whether gradients by hand are computed for all models at once; by default, on accelerators.
    """
    if isinstance(trainings[0].config.optimizer, LBFGS):
        return _EachByItself(trainings)
    return _Abreast(trainings, trainings[0].device.type != "cpu" if batched is None else batched)


class _EachByItself:
    def __init__(self, trainings: Sequence[Training]) -> None:
        self._trainings = trainings

    def step(self, minibatches: Sequence[Minibatch]) -> Sequence[Tensor]:
        return [training.step(*own) for training, own in zip(self._trainings, minibatches, strict=True)]

    def part(self, going: Sequence[Training]) -> None:
        pass


class _Abreast:
    def __init__(self, trainings: Sequence[Training], batched: bool) -> None:
        self._trainings, first = trainings, trainings[0]
        states = [training.optimizer.state() for training in trainings]
        _renew(trainings)
        parameters = [training.model.trainable() for training in trainings]
        self._optimizer = first.config.optimizer.build([parameter for of_one in parameters for parameter in of_one])
        self._optimizer.restore(_joined(states, len(parameters[0])))
        pieces = put_abreast(parameters)
        self._backpropagation = None
        if batched and isinstance(first.model, DenseModel):
            self._backpropagation = first.model.backpropagation.abreast(pieces)
            self._backpropagation.products = products_in(first.config.precision)
        noise = [training.streams.noise for training in trainings]
        recorder = recorder_for(first.device, noise) if self._optimizer.replayable else None
        self._replayed = None if recorder is None else Replayed(self._descend, recorder)

    def step(self, minibatches: Sequence[Minibatch]) -> Sequence[Tensor]:
        for training in self._trainings:
            training.tell_time()
        first, parts = self._trainings[0], [part for minibatch in minibatches for part in minibatch]
        if self._replayed is None or first.epochs_passed < first.model.changes_until:
            return self._descend(*parts).unbind()
        return self._replayed(first.rate_factor, *parts).unbind()

    def part(self, going: Sequence[Training]) -> None:
        self._replayed = None  # it knows this object, which would live on with all its recordings
        states = _parted(self._optimizer.state(), len(self._trainings))
        _renew(going)
        for training, state in zip(self._trainings, states, strict=True):
            parameters = training.model.trainable()
            put_apart(parameters)
            if training in going:
                training.optimizer = training.config.optimizer.build(parameters)
                training.optimizer.restore(state)

    def _descend(self, *parts: Tensor | None) -> Tensor:
        """All of a step that the device does, given rows and labels, training after training."""
        batches = [
            training.model.prepare(x, labels, training.streams.noise)
            for training, x, labels in zip(self._trainings, parts[::2], parts[1::2], strict=True)
            if x is not None
        ]
        first = self._trainings[0]
        with tensor_cores(first.config.precision):
            values = self._optimizer.step(partial(self._accumulate, batches), first.rate_factor)
        for training in self._trainings:
            training.model.constrain()
        return values

    def _accumulate(self, batches: Sequence[Batch], how: Accumulation) -> Tensor:
        """Add the gradients of all models; their objectives, shape `(n_models,)`."""
        models = [training.model for training in self._trainings]
        if self._backpropagation is None:
            return torch.stack(
                [model.accumulate_gradients(own, how) for model, own in zip(models, batches, strict=True)]
            )
        dense = [model for model in models if isinstance(model, DenseModel)]
        inputs, targets, draws = zip(*batches, strict=True)
        values = self._backpropagation.accumulate(
            torch.stack(inputs),
            torch.stack(targets),
            how,
            masks=[torch.stack(masks) for masks in zip(*draws, strict=True)],
            penalty=_joint_penalty(dense),
        )
        return torch.stack([model.charge_weights(value, how) for model, value in zip(dense, values, strict=True)])


def _joint_penalty(models: Sequence[DenseModel]) -> CodePenalty | None:
    """The penalties of all models on their codes, shape `(n_models, n, n_units)`, computed one after the other."""
    penalties = [penalty for penalty in (model.code_penalty() for model in models) if penalty is not None]
    if not penalties:
        return None

    def charge(codes: Tensor) -> tuple[Tensor, Tensor]:
        charged = [penalty(own) for penalty, own in zip(penalties, codes, strict=True)]
        slopes = [slope.expand_as(codes[0]) for _, slope in charged]
        return torch.stack([value for value, _ in charged]), torch.stack(slopes)

    return charge


def _renew(trainings: Sequence[Training]) -> None:
    """Drop what the models hold of their parameters' places and gradients."""
    for training in trainings:
        training.model.release()
        training.model.compute_in(training.config.precision)


def _joined(states: Sequence[State], n_parameters: int) -> State:
    """The state of one optimiser of all parameters, from those of one for each model; they number parameters."""
    return {
        str(model * n_parameters + int(number)): held
        for model, state in enumerate(states)
        for number, held in state.items()
    }


def _parted(state: State, n_models: int) -> list[State]:
    """The other way round."""
    n_parameters = len(state) // n_models  # none before the first step of an optimiser that makes its state there
    return [
        {str(number): state[str(model * n_parameters + number)] for number in range(n_parameters)}
        for model in range(n_models)
    ]
