"""Several models of one shape abreast: each parameter of all of them in one piece of memory, model after model.

The models' own parameters and gradients become views into the pieces, so that whatever looks at one model, or changes
it, works as before.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from stacked.activations import Activation
from stacked.dense import Dense


class Layer(Protocol):
    """What gradients by hand need of a dense layer; of several models, with one dimension more in front."""

    @property
    def weight(self) -> Tensor: ...
    @property
    def bias(self) -> Tensor: ...
    @property
    def owned(self) -> Tensor: ...
    @property
    def tied(self) -> bool: ...
    @property
    def weight_owner(self) -> Dense: ...
    @property
    def activation(self) -> Activation: ...


ALIGNMENT = 64
"""Bytes at whose multiples torch begins a tensor on a CPU."""

Pieces = dict[Tensor, Tensor]
"""From a parameter of the first model to those of all, shape `(n_models, ...)`, with their gradients in `grad`."""


@torch.no_grad()
def put_abreast(models: Sequence[Sequence[nn.Parameter]]) -> Pieces:
    """Move the parameters of several models, which correspond in order and shape, into pieces.

    Gradients stay the tensors they are, with their values, for an optimiser may hold them.
    """
    pieces: Pieces = {}
    for parameters in zip(*models, strict=True):
        piece = _in_one_piece([parameter.detach() for parameter in parameters])
        piece.grad = _in_one_piece([_gradient(parameter) for parameter in parameters])
        for parameter, value, slope in zip(parameters, piece, piece.grad, strict=True):
            parameter.data = value
            _gradient(parameter).data = slope
        pieces[parameters[0]] = piece
    return pieces


@torch.no_grad()
def put_apart(parameters: Sequence[nn.Parameter]) -> None:
    """Give the parameters of one model memory of their own again, and their gradients too."""
    for parameter in parameters:
        parameter.data = parameter.detach().clone()
        if parameter.grad is not None:
            parameter.grad.data = parameter.grad.clone()


class DenseAbreast:
    """One dense layer of several models: weights `(n_models, n_units, n_inputs)`, biases `(n_models, n_units)`.

    Parameters
    ----------
    layer : Dense or TiedDense
        That of the first model.
    pieces : Pieces
        Where its parameters lie.
    """

    def __init__(self, layer: Layer, pieces: Pieces) -> None:
        self._layer, self.bias = layer, pieces[layer.bias]
        self.owned, self.tied = pieces[layer.weight_owner.weight], layer.tied
        self.weight = self.owned.mT if self.tied else self.owned

    @property
    def activation(self) -> Activation:
        """That of the first model, now: it may change as training goes on, and does so for all alike."""
        return self._layer.activation

    @property
    def weight_owner(self) -> Dense:
        """The layer of the first model whose parameter the weights are."""
        return self._layer.weight_owner


def _in_one_piece(tensors: Sequence[Tensor]) -> Tensor:
    """Copies of tensors of one shape, each where torch would put it alone: last bits of a product hang on that."""
    first = tensors[0]
    size = -(-first.nbytes // ALIGNMENT) * ALIGNMENT // first.itemsize
    piece = first.new_empty(len(tensors), size)[:, : first.numel()].view(len(tensors), *first.shape)
    return torch.stack(list(tensors), out=piece)


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None, "the optimiser makes room for the gradients"
    return parameter.grad
