"""Gradients by hand through a chain of dense layers, in place; and by autograd for everything else.

For layers `a_k = f_k(z_k)`, `z_k = a_{k-1} W_k' + b_k`, and errors `delta_k = n * dloss/dz_k`:

    delta_{k-1} = (delta_k W_k + extra) * f'_{k-1}(z_{k-1})
    dloss/dW_k  = delta_k' a_{k-1} / n
    dloss/db_k  = sum over rows of delta_k / n

(Bishop 2006, equations 5.53 to 5.56); `extra` is a penalty's slope. Every gradient is added to a decayed earlier
one, `gradient <- decay * gradient + scale * dloss/dparameter`, inside the matrix product itself. With the momentum as
the decay and the learning rate as the scale, the gradient then is the velocity, and momentum costs nothing.

The same equations serve several models of one shape at once: every tensor then has one dimension more in front.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stacked.abreast import DenseAbreast, Layer, Pieces
from stacked.outputs import Output
from stacked.products import Products


class Accumulation(NamedTuple):
    """How a new gradient joins what `parameter.grad` holds: `decay * held + scale * new`."""

    decay: float
    scale: float


CodePenalty = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From codes, shape `(n, n_units)`, a penalty's value and `n` times its slope, which broadcasts over the codes."""


def accumulate_by_autograd(loss: Tensor, parameters: Iterable[nn.Parameter], how: Accumulation) -> None:
    """Add the gradients of `loss` to the parameters', by autograd."""
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.mul_(how.decay) if how.decay else parameter.grad.zero_()
    (loss * how.scale).backward()  # type: ignore[no-untyped-call]


class Backpropagation:
    """The loss and gradients of one chain of layers, in a work space kept from step to step.

    Parameters
    ----------
    hidden : sequence of layers
        The layers below the last, bottom first.
    last : Dense, TiedDense or DenseAbreast
        The output layer, of which only the weighted sums are used.
    output : Output
        The output function and the loss.

    Attributes
    ----------
    products : Products
        How matrices are multiplied.
    """

    products: Products

    def __init__(self, hidden: Sequence[Layer], last: Layer, output: Output) -> None:
        self._hidden, self._last, self._output = tuple(hidden), last, output
        self.products = Products()
        self._layers = (*self._hidden, last)
        owners = [layer.weight_owner for layer in self._layers]
        # Gradients come from the top down: what a layer above shares has been decayed when its turn comes.
        self._decayed = [owner in owners[k + 1 :] for k, owner in enumerate(owners)]
        self._spaces: dict[tuple[torch.Size, torch.dtype, torch.device], _WorkSpace] = {}

    def abreast(self, pieces: Pieces) -> Backpropagation:
        """The same for several models at once, given where the parameters lie of which these layers are the first."""
        *hidden, last = (DenseAbreast(layer, pieces) for layer in self._layers)
        return Backpropagation(hidden, last, self._output)

    def accumulate(
        self,
        inputs: Tensor,
        target: Tensor,
        how: Accumulation,
        *,
        masks: Sequence[Tensor] = (),
        penalty: CodePenalty | None = None,
    ) -> Tensor:
        """Add the gradients to those of the parameters, which must exist; return the loss, a scalar.

        Called under `torch.no_grad`. Of several models abreast, the tensors and the loss have one dimension more.

        Parameters
        ----------
        inputs, target : Tensor
            Shapes `(n, n_inputs)` and `(n, n_outputs)`.
        how : Accumulation
            The decay of the earlier gradients and the scale of the new.
        masks : sequence of Tensor
            Factors on the outputs of each hidden layer (dropout); none when empty.
        penalty : CodePenalty, optional
            A penalty on the outputs of the first hidden layer.
        """
        space = self._space_for(inputs)
        units = self._forward(inputs, masks, space)
        logits, delta = space.units[-1], space.deltas[-1]
        self.products.weighted_sums(units[-1], space.transposed_weights[-1], space.biases[-1], logits)
        loss = self._output.delta_(logits, target, delta)
        extra = None
        if penalty is not None:
            value, extra = penalty(units[1])
            loss = loss + value
        self._backward(units, how, space, masks, extra)
        return loss

    def release(self) -> None:
        """Give the work space back."""
        self._spaces.clear()
        self.products = Products()

    def _forward(self, inputs: Tensor, masks: Sequence[Tensor], space: _WorkSpace) -> list[Tensor]:
        """What each layer is given, bottom first."""
        units = [inputs]
        for k, layer in enumerate(self._hidden):
            self.products.weighted_sums(units[k], space.transposed_weights[k], space.biases[k], space.units[k])
            a = layer.activation.apply_(space.units[k])
            units.append(a * masks[k] if masks else a)
        return units

    def _backward(
        self,
        units: Sequence[Tensor],
        how: Accumulation,
        space: _WorkSpace,
        masks: Sequence[Tensor],
        extra: Tensor | None,
    ) -> None:
        """Carry the errors of the last layer down to the first, adding each layer's gradient on the way."""
        self._add(len(self._hidden), units[-1], how, space)
        for k in range(len(self._hidden) - 1, -1, -1):
            layer, delta = self._hidden[k], space.deltas[k]
            self.products.errors_below(space.deltas[k + 1], space.weights[k + 1], delta)
            if extra is not None and k == 0:
                delta.add_(extra)
            if masks:
                delta.mul_(masks[k])
            layer.activation.times_derivative_(delta, space.units[k])
            self._add(k, units[k], how, space)

    def _add(self, k: int, below: Tensor, how: Accumulation, space: _WorkSpace) -> None:
        """Add the gradients of layer `k`, given its inputs; its errors are known."""
        owned, bias = space.parameters[k]
        assert owned.grad is not None, "the optimiser makes room for the gradients"
        assert bias.grad is not None, "the optimiser makes room for the gradients"
        gradient = owned.grad.mT if self._layers[k].tied else owned.grad
        decay, scale = 1.0 if self._decayed[k] else how.decay, how.scale / space.n_rows
        self.products.add_to_weight(gradient, space.transposed_deltas[k], below, decay, scale)
        self.products.add_to_bias(bias.grad, space.transposed_deltas[k], space.ones, how.decay, scale)

    def _space_for(self, inputs: Tensor) -> _WorkSpace:
        key = (inputs.shape, inputs.dtype, inputs.device)
        if key not in self._spaces:
            self._spaces[key] = _WorkSpace(inputs, self._layers)
        return self._spaces[key]


class _WorkSpace:
    """Room for the activations and errors of every layer, for batches of one size.

    Parameters are looked up once, for that takes torch's modules longer than some of the sums.
    """

    def __init__(self, inputs: Tensor, layers: Sequence[Layer]) -> None:
        rows, widths = inputs.shape[:-1], [layer.bias.shape[-1] for layer in layers]
        self.n_rows = rows[-1]
        self.weights = [layer.weight.detach() for layer in layers]
        self.biases = [layer.bias.detach() for layer in layers]
        self.transposed_weights = [weight.mT for weight in self.weights]
        self.parameters = [(layer.owned, layer.bias) for layer in layers]
        self.units = [inputs.new_empty(*rows, width) for width in widths]
        self.deltas = [inputs.new_empty(*rows, width) for width in widths]
        self.transposed_deltas = [delta.mT for delta in self.deltas]
        self.ones = inputs.new_ones(rows)
