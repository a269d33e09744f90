"""The two published runs, replayed: MATLAB's random numbers after `rng(0)`, drawn in the toolbox's order.

After `rng(0)` MATLAB draws from MT19937 seeded with 5489, in doubles of 53 bits, as NumPy's legacy generator does.
Matrices fill column by column, `randperm(n)` is the stable order of `n` uniforms, and one stream serves every
purpose. The DeepLearnToolbox draws the weights of all autoencoders first, bias column before weights; then, a layer
after the other, the order of an epoch and the masks of its minibatches; then the weights of the whole classifier,
of which the hidden ones are overwritten; then its orders. The library draws in the same order.
"""

import numpy as np
import torch
from torch import Tensor

from stacked import Denoising, FeedforwardClassifier, LabelledImages, Masking, StackedAutoencoder
from stacked.comparison import Recipe
from stacked.randomness import Randomness, Stream

PUBLISHED = {0.0: 0.0933, 0.5: 0.0826}
"""Published test error by masking fraction."""
TOOLBOX_WRONG = {0.0: 932, 0.5: 835}
"""Wrong of 10,000 that the original toolbox gives under this stream."""


class MatlabRandomness(Randomness, Stream):
    """The single stream that MATLAB has after `rng(0)`, whatever it is used for."""

    def __init__(self) -> None:
        self._generator = np.random.RandomState(5489)

    def stream(self, *purpose: str | int, device: torch.device | str = "cpu") -> Stream:
        return self

    def rand(self, n_rows: int, n_columns: int) -> Tensor:
        """`rand(n_rows, n_columns)`, float64."""
        return torch.from_numpy(self._generator.random_sample((n_columns, n_rows))).t()

    def permutation(self, n: int) -> Tensor:
        return torch.from_numpy(np.argsort(self._generator.random_sample(n), kind="stable"))

    def uniform_(self, out: Tensor, low: float, high: float) -> Tensor:
        numbers = self.rand(out.shape[0], 1).view(-1) if out.dim() == 1 else self.rand(*out.shape)
        return out.copy_(numbers.mul(high - low).add(low))

    def normal(self, like: Tensor) -> Tensor:
        raise TypeError("the replayed experiment draws no normal numbers")

    def keep_mask(self, like: Tensor, drop: float) -> Tensor:
        return self.rand(*like.shape).gt(drop).to(like)

    def state(self) -> Tensor:
        _, words, position, *_ = self._generator.get_state()
        return torch.tensor([*words.tolist(), position])

    def restore(self, state: Tensor) -> None:
        *words, position = state.tolist()
        self._generator.set_state(("MT19937", np.array(words, np.uint32), position))


def replayed_wrong(masking: float, recipe: Recipe, data: LabelledImages) -> int:
    """How many test rows are wrong when the published run with this masking is replayed."""
    randomness = MatlabRandomness()
    layer = Denoising(100, corruption=Masking(masking), random_bias=True)
    stack = StackedAutoencoder([layer, layer], recipe.pretraining, seed=randomness, dtype="float64")
    stack.fit(data.x_train)
    classifier = FeedforwardClassifier(recipe.network, seed=randomness, dtype="float64").transfer(stack)
    classifier.fit(data.x_train, data.y_train, recipe.finetuning)
    return int((classifier.predict(data.x_test) != data.y_test).sum())
