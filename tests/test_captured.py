"""Replayed steps against steps made one by one: the same bits, whatever is replayed.

Without a GPU a recording is replayed by calling. All that surrounds it is what a graph needs: buffers that stay,
values copied out, one recording for each shape and learning rate.
"""

import numpy as np
import pytest
import torch
from conftest import KINDS, Interrupting

from stacked import (
    LBFGS,
    SGD,
    Adam,
    Callback,
    CosineDecay,
    Denoising,
    FeedforwardClassifier,
    KLSparsity,
    Plain,
    RunDirectory,
    Sparse,
    StackedAutoencoder,
    StackedWarning,
    TrainingConfig,
)
from stacked.captured import WARM_UP, Recorder, Replayed, recorder_for
from stacked.randomness import Seeded
from stacked.seeds import fit_stacks

OPTIMIZERS = {"sgd": SGD(0.1, momentum=0.5), "adam": Adam(0.01)}


class Counting(Recorder):
    """Counts steps made aside, recordings and replays; the value of a replay is overwritten by the next one."""

    def __init__(self):
        self.aside_, self.recorded, self.replayed = 0, 0, 0

    def aside(self, work):
        self.aside_ += 1
        return super().aside(work)

    def record(self, work):
        self.recorded += 1

        def replay():
            self.replayed += 1
            return work()

        return replay


class Failing(Recorder):
    """Finds that nothing can be recorded."""

    def record(self, work):
        raise RuntimeError("operation not permitted when stream is capturing\nand so on")


def recording_with(monkeypatch, recorder):
    """Have trainings record with this one."""
    for module in ("training", "joint_steps"):
        monkeypatch.setattr(f"stacked.{module}.recorder_for", lambda device, noise: recorder)


def fitted(settings, rows, config, **options):
    return StackedAutoencoder([settings], config, **options).fit(rows)


def check_same(one, other):
    for a, b in zip(one.layers, other.layers, strict=True):
        assert all(map(torch.equal, a.state_dict().values(), b.state_dict().values()))
    figures = [[record["loss"] for record in history] for model in (one, other) for history in model.histories]
    assert figures[0] == figures[1]


def config_of(optimizer, **more):
    return TrainingConfig(**({"epochs": 4, "batch_size": 20, "optimizer": OPTIMIZERS[optimizer]} | more))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_replayed_trainings_have_the_same_bits(settings, rows, optimizer, monkeypatch):
    config, recorder = config_of(optimizer, schedule=CosineDecay()), Counting()
    one_by_one = fitted(settings, rows, config)
    recording_with(monkeypatch, recorder)
    check_same(fitted(settings, rows, config), one_by_one)
    annealed = 1.5 if "annealing=1.5" in repr(settings) or "warm_up=1.5" in repr(settings) else 0.0
    recorded = sum(1 for epoch in range(4) for start in range(0, 130, 20) if epoch + start / 130 >= annealed)
    assert recorder.aside_ + recorder.replayed == recorded
    assert recorder.replayed > 0


def test_a_recording_serves_one_shape_and_one_learning_rate(rows, monkeypatch):
    recorder = Counting()
    recording_with(monkeypatch, recorder)
    fitted(Plain(7), rows, config_of("sgd", epochs=6))
    assert (recorder.aside_, recorder.recorded, recorder.replayed) == (2 * WARM_UP, 2, 6 * 7 - 2 * WARM_UP)
    recorder.__init__()
    fitted(Plain(7), rows, config_of("sgd", epochs=6, schedule=CosineDecay()))
    full, small = 6 * WARM_UP, 6  # the small minibatch comes once an epoch, too seldom to be recorded
    assert (recorder.aside_, recorder.recorded, recorder.replayed) == (full + small, 6, 6 * 7 - full - small)


def test_classifiers_are_replayed_too(rows, monkeypatch):
    labels, recorder = (3 * rows[:, 0]).astype(int), Counting()
    one, other = (FeedforwardClassifier((12, 7, 3)) for _ in range(2))
    one.fit(rows, labels, config_of("adam"))
    recording_with(monkeypatch, recorder)
    other.fit(rows, labels, config_of("adam"))
    assert all(map(torch.equal, one.layers[0].state_dict().values(), other.layers[0].state_dict().values()))
    assert recorder.replayed > 0


def test_seeds_together_are_replayed_too(rows, monkeypatch):
    def stacks():
        return [StackedAutoencoder([KINDS["sparse-top-k"]], config_of("adam"), seed=seed) for seed in (1, 2)]

    recorder, together = Counting(), stacks()
    alone = [stack.fit(rows) for stack in stacks()]
    recording_with(monkeypatch, recorder)
    fit_stacks(together, rows)
    for one, other in zip(together, alone, strict=True):
        check_same(one, other)
    assert recorder.replayed > 0


def test_what_the_host_decides_is_never_recorded(rows, monkeypatch):
    recorder = Counting()
    recording_with(monkeypatch, recorder)
    fitted(Plain(7), rows, TrainingConfig(epochs=5, batch_size=None, optimizer=LBFGS(iterations=2)))
    assert recorder.aside_ == 0


def test_a_replayed_training_goes_on_in_the_middle_of_an_epoch(rows, tmp_path, monkeypatch):
    config, settings = config_of("adam", schedule=CosineDecay()), Denoising(7)
    uninterrupted = fitted(settings, rows, config)
    recording_with(monkeypatch, Counting())
    stack = StackedAutoencoder([settings], config)
    with pytest.raises(KeyboardInterrupt):
        stack.fit(rows, run=RunDirectory(tmp_path, seconds=0), callbacks=[Interrupting(17)])
    check_same(stack.fit(rows, run=tmp_path), uninterrupted)


def test_where_recording_fails_steps_are_made_as_ever(rows, monkeypatch):
    one_by_one = fitted(Denoising(7), rows, config_of("sgd"))
    recording_with(monkeypatch, Failing())
    with pytest.warns(StackedWarning) as told:
        check_same(fitted(Denoising(7), rows, config_of("sgd")), one_by_one)
    reason = "operation not permitted when stream is capturing"
    assert [str(warning.message) for warning in told if "after training" not in str(warning.message)] == [
        f"steps are launched one by one, for they could not be recorded ({reason})"
    ]


def test_inputs_are_copied_into_buffers_that_stay():
    given, random = [], torch.Generator().manual_seed(0)
    replayed = Replayed(lambda x, labels: given.append(x.data_ptr()) or x.sum(), Recorder())
    for _ in range(WARM_UP + 3):
        for n in (4, 3):
            x = torch.rand(n, 5, generator=random)
            assert replayed(1.0, x, None) == x.sum()
    assert len(set(given[0::2])) == len(set(given[1::2])) == 1


def test_steps_on_a_cpu_are_not_recorded():
    assert recorder_for(torch.device("cpu"), [Seeded(0).stream("noise")]) is None
    drawn_by_the_host = recorder_for(torch.device("cuda"), [Seeded(0).stream("noise")])
    assert drawn_by_the_host is None


@pytest.mark.parametrize("kind", KINDS)
def test_after_changes_until_nothing_changes_any_more(kind, rows):
    """What `advance` sets there is what it sets ever after."""
    layer = KINDS[kind].build(12, torch.float64)
    layer.draw(Seeded(0).stream("weights"))
    batch = layer.prepare(torch.from_numpy(rows).double(), None, Seeded(0).stream("noise"))
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    values = []
    for epochs in (layer.changes_until, layer.changes_until + 0.5, 1e6):
        layer.load_state_dict(state)
        layer.advance(epochs)
        values.append(layer.objective(batch).item())
    assert len(set(values)) == 1
    assert np.isfinite(values[0])


def test_a_model_that_does_not_say_when_its_changes_end_is_never_recorded(rows, monkeypatch):
    from test_hooks import watched  # noqa: PLC0415

    recorder = Counting()
    recording_with(monkeypatch, recorder)
    watched(rows, TrainingConfig(epochs=3, batch_size=40))
    assert recorder.aside_ == 0


def test_the_running_mean_moves_in_place(rows, monkeypatch):
    """A graph knows addresses only."""
    settings = Sparse(7, penalty=KLSparsity(0.3, memory=0.9))
    recording_with(monkeypatch, Counting())
    places = set()

    class Watch(Callback):
        def on_step(self, training, n_rows):
            tensors = [*training.model.state_dict().values(), *(p.grad for p in training.model.parameters())]
            places.add(tuple(tensor.data_ptr() for tensor in tensors))

    StackedAutoencoder([settings], config_of("adam")).fit(rows, callbacks=[Watch()])
    assert len(places) == 1
