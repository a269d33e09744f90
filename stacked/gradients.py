"""Gradients by hand through a chain of dense layers, in place; and by autograd for everything else.

For layers `a_k = f_k(z_k)`, `z_k = a_{k-1} W_k' + b_k`, and errors `delta_k = n * dloss/dz_k`:

    delta_{k-1} = (delta_k W_k + extra) * f'_{k-1}(z_{k-1})
    dloss/dW_k  = delta_k' a_{k-1} / n
    dloss/db_k  = sum over rows of delta_k / n

(Bishop 2006, equations 5.53 to 5.56); `extra` is a penalty's slope. Every gradient is added to a decayed earlier
one, `gradient <- decay * gradient + scale * dloss/dparameter`, inside the matrix product itself. With the momentum as
the decay and the learning rate as the scale, the gradient then is the velocity, and momentum costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stacked.dense import Dense, TiedDense
from stacked.outputs import Output


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
    hidden : sequence of Dense or TiedDense
        The layers below the last, bottom first.
    last : Dense or TiedDense
        The output layer, of which only the weighted sums are used.
    output : Output
        The output function and the loss.
    """

    def __init__(self, hidden: Sequence[Dense | TiedDense], last: Dense | TiedDense, output: Output) -> None:
        self._hidden, self._last, self._output = tuple(hidden), last, output
        self._layers = (*self._hidden, last)
        owners = [layer.weight_owner for layer in self._layers]
        # Gradients come from the top down: what a layer above shares has been decayed when its turn comes.
        self._decayed = [owner in owners[k + 1 :] for k, owner in enumerate(owners)]
        self._spaces: dict[tuple[int, torch.dtype, torch.device], _WorkSpace] = {}

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

        Called under `torch.no_grad`.

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
        torch.addmm(space.biases[-1], units[-1], space.transposed_weights[-1], out=logits)
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

    def _forward(self, inputs: Tensor, masks: Sequence[Tensor], space: _WorkSpace) -> list[Tensor]:
        """What each layer is given, bottom first."""
        units = [inputs]
        for k, layer in enumerate(self._hidden):
            torch.addmm(space.biases[k], units[k], space.transposed_weights[k], out=space.units[k])
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
        space.add(-1, units[-1], how)
        for k in range(len(self._hidden) - 1, -1, -1):
            layer, delta = self._hidden[k], space.deltas[k]
            torch.mm(space.deltas[k + 1], space.weights[k + 1], out=delta)
            if extra is not None and k == 0:
                delta.add_(extra)
            if masks:
                delta.mul_(masks[k])
            layer.activation.times_derivative_(delta, space.units[k])
            space.add(k, units[k], how, decayed=self._decayed[k])

    def _space_for(self, inputs: Tensor) -> _WorkSpace:
        key = (inputs.shape[0], inputs.dtype, inputs.device)
        if key not in self._spaces:
            self._spaces[key] = _WorkSpace(inputs, self._layers)
        return self._spaces[key]


class _WorkSpace:
    """Room for the activations and errors of every layer, for batches of one size.

    Parameters are looked up once, for that takes torch's modules longer than some of the sums.
    """

    def __init__(self, inputs: Tensor, layers: Sequence[Dense | TiedDense]) -> None:
        n, widths = inputs.shape[0], [len(layer.bias) for layer in layers]
        self.weights = [layer.weight.detach() for layer in layers]
        self.biases = [layer.bias.detach() for layer in layers]
        self.transposed_weights = [weight.t() for weight in self.weights]
        self._parameters = [(layer.weight_owner.weight, layer.bias) for layer in layers]
        self._are_tied = [isinstance(layer, TiedDense) for layer in layers]
        self.units = [inputs.new_empty(n, width) for width in widths]
        self.deltas = [inputs.new_empty(n, width) for width in widths]
        self.transposed_deltas = [delta.t() for delta in self.deltas]
        self.ones = inputs.new_ones(n)

    def add(self, k: int, below: Tensor, how: Accumulation, *, decayed: bool = False) -> None:
        """Add the gradients of layer `k`, given its inputs; its errors are there."""
        owned, bias = self._parameters[k]
        assert owned.grad is not None, "the optimiser makes room for the gradients"
        assert bias.grad is not None, "the optimiser makes room for the gradients"
        gradient = owned.grad.t() if self._are_tied[k] else owned.grad
        delta, scale = self.transposed_deltas[k], how.scale / len(self.ones)
        gradient.addmm_(delta, below, beta=1.0 if decayed else how.decay, alpha=scale)
        bias.grad.addmv_(delta, self.ones, beta=how.decay, alpha=scale)
