"""New weights for units that have died: that are active on no row, and so get no gradient.

After Bricken et al., "Towards monosemanticity: decomposing language models with dictionary learning" (2023),
appendix: a row is drawn with a probability proportional to its squared loss, and a dead unit gets encoder weights a
fifth as long as those of the living on average. Three things differ. They point the unit at the row itself; here it
points at what the reconstruction of that row misses. They reset Adam's moments; here only what the gradients hold is
forgotten, the velocity of SGD, and Adam's moments stay. And where units compete for a place among the k largest, the
new weights are as long as those of the living, for shorter ones would hardly ever win it.
"""

import torch
from torch import Tensor

from stacked.dense import Dense, TiedDense
from stacked.randomness import Stream

LENGTH, COMPETING_LENGTH = 0.2, 1.0
"""Length of new encoder weights, as a share of the mean length of the living units', and that of competing units."""


@torch.no_grad()
def give_new_weights(
    dead: Tensor,
    encoder: Dense,
    decoder: Dense | TiedDense,
    residuals: Tensor,
    noise: Stream,
    share: float = LENGTH,
) -> None:
    """Point the dead units at what the reconstruction misses.

    Parameters
    ----------
    dead : Tensor
        Numbers of the dead units; where all are dead, the mean length is theirs. Those that draw a row of which
        nothing is missed keep their weights, for there is no direction to point them in.
    encoder, decoder : Dense, TiedDense
        Changed in place; the velocities that their gradients hold are forgotten.
    residuals : Tensor
        Row minus reconstruction of a sample of rows, shape `(n, n_inputs)`.
    noise : Stream
        Draws the rows.
    share : float
        `LENGTH` or `COMPETING_LENGTH`.
    """
    chances = residuals.square().sum(dim=1).square().cumsum(dim=0)
    places = noise.uniform_(torch.empty(len(dead), dtype=chances.dtype, device=chances.device), 0.0, 1.0)
    rows = torch.searchsorted(chances, places * chances[-1]).clamp_(max=len(residuals) - 1)
    living = torch.ones(len(encoder.bias), dtype=torch.bool, device=dead.device)
    living[dead] = False
    if not living.any():
        living[:] = True
    length = share * encoder.weight[living].norm(dim=1).mean()
    missed = residuals[rows].norm(dim=1, keepdim=True)
    points = missed[:, 0] > 0
    dead, directions = dead[points], (residuals[rows] / missed)[points]
    decoder.weight[:, dead] = directions.t()
    encoder.weight[dead] = length * directions
    encoder.bias[dead] = 0
    for gradient in (encoder.weight.grad, encoder.bias.grad):
        if gradient is not None:
            gradient[dead] = 0
    if decoder.weight_gradient is not None:
        decoder.weight_gradient[:, dead] = 0
