"""What the tests share: small rows in [0, 1], one example of every kind of layer, an interruption."""

import numpy as np
import pytest
import torch

from stacked import (
    Callback,
    Contractive,
    Denoising,
    Gaussian,
    KLSparsity,
    L1Sparsity,
    Masking,
    Plain,
    SaltAndPepper,
    Sparse,
    TopK,
    Variational,
)
from stacked.autoencoders import LayerSettings

KINDS: dict[str, LayerSettings] = {
    "plain": Plain(7),
    "plain-tied": Plain(7, tied=True),
    "plain-cross-entropy": Plain(7, loss="cross_entropy", random_bias=True),
    "plain-relu-linear": Plain(7, activation="relu", output="linear"),
    "plain-tanh-linear-decay": Plain(7, activation="tanh", output="linear", weight_decay=0.01),
    "plain-scaled-tanh": Plain(7, activation="scaled_tanh", output="linear"),
    "denoising-masking": Denoising(7, corruption=Masking(0.3)),
    "denoising-gaussian": Denoising(7, corruption=Gaussian(0.2), tied=True, weight_decay=0.02),
    "denoising-salt": Denoising(7, corruption=SaltAndPepper(0.2), loss="cross_entropy", tied=True),
    "sparse-kl": Sparse(7, penalty=KLSparsity(0.3, target=0.1)),
    "sparse-kl-running": Sparse(7, penalty=KLSparsity(0.3, target=0.1, memory=0.9, initial_mean=0.5)),
    "sparse-l1-unit-norm": Sparse(7, penalty=L1Sparsity(0.02), activation="relu", unit_norm=True, revive=True),
    "sparse-top-k": Sparse(7, penalty=TopK(2, initial_k=5, annealing=1.5), activation="relu", revive=True),
    "sparse-top-k-sigmoid-tied": Sparse(7, penalty=TopK(3), tied=True, unit_norm=True),
    "contractive": Contractive(7, weight=0.3),
    "contractive-tied-tanh": Contractive(7, weight=0.2, activation="tanh", output="linear", tied=True),
    "contractive-scaled-tanh": Contractive(7, weight=0.1, activation="scaled_tanh", weight_decay=0.01),
    "variational": Variational(3, hidden=7),
    "variational-gaussian": Variational(
        3, hidden=7, output="linear", activation="tanh", warm_up=1.5, weight_decay=0.01
    ),
    "sparse-l1": Sparse(7, penalty=L1Sparsity(0.05), activation="tanh", output="linear", weight_decay=0.01),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The flag for tests that may go on for longer."""
    parser.addoption(
        "--long", action="store_true", help="ten times as long: shared caches, damaged files, killed runs"
    )


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest) -> LayerSettings:
    """The settings of one layer, each kind in turn."""
    return KINDS[request.param]


@pytest.fixture
def rows() -> np.ndarray:
    """130 rows of 12 columns in [0, 1], float32; 130 is no multiple of the batch sizes in use."""
    return np.random.default_rng(0).random((130, 12), dtype=np.float32)


@pytest.fixture(autouse=True)
def _global_random_state_untouched():
    """Nothing may draw from or reseed the global generators."""
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    yield
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (numpy_state == np.random.get_state()[1]).all()


class Interrupting(Callback):
    """Ends a training after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def on_step(self, training, n_rows):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
