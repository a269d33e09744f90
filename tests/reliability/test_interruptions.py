"""Ctrl-C, a second process, and files that a power cut has spoilt: a run goes on, or says in one sentence why not."""

import contextlib
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from stacked import (
    Adam,
    Denoising,
    Plain,
    RunDirectory,
    StackedAutoencoder,
    StackedError,
    StackedWarning,
    TrainingConfig,
)

ROWS = np.random.default_rng(0).random((130, 12), dtype=np.float32)
SCRIPT = """
import signal, sys, time
import numpy as np
from stacked import *
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have had ignored
import torch; torch.set_num_threads(int(sys.argv[2]))
class Pause(Callback):
    def on_step(self, training, n_rows):
        if training.name.startswith(sys.argv[3]) and training.rows_done == 230:  # in the middle of the second epoch
            print(training.name, flush=True)
            time.sleep(1000)
rows = np.random.default_rng(0).random((130, 12), dtype=np.float32)
layers, config = [Denoising(8), Plain(6)], TrainingConfig(epochs=3, batch_size=20, optimizer=Adam(0.05))
StackedAutoencoder(layers, config).fit(rows, run=RunDirectory(sys.argv[1], 0), callbacks=[Pause()])
"""


def fit(run=None, **options):
    config = TrainingConfig(epochs=3, batch_size=20, optimizer=Adam(0.05))
    return StackedAutoencoder([Denoising(8), Plain(6)], config).fit(ROWS, run=run, **options)


def weights(stack):
    return [tensor.numpy().tobytes() for layer in stack.layers for tensor in layer.state_dict().values()]


@contextlib.contextmanager
def working_on(folder, layer):
    """A process that has come to the middle of a layer of a run and waits there; killed at the end if it still lives.

    It keeps every step, on a disk that may be slow: how far it gets in some time cannot be foreseen.
    """
    command = [sys.executable, "-c", SCRIPT, str(folder), str(torch.get_num_threads()), f"layer {layer}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline().startswith(f"layer {layer}")
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("layer", [1, 2])
def test_control_c_leaves_a_run_that_goes_on_with_the_same_bits_and_no_half_written_files(layer, tmp_path):
    with working_on(tmp_path / "run", layer) as process:
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1].splitlines()[-1] == "KeyboardInterrupt"
    assert process.returncode == -signal.SIGINT
    assert [path.name for path in (tmp_path / "run").rglob(".*")] == []
    assert list((tmp_path / "run").glob("*.checkpoint-*"))
    assert weights(fit(tmp_path / "run")) == weights(fit())


def test_a_second_process_is_refused_and_the_death_of_the_first_blocks_nobody(tmp_path):
    with working_on(tmp_path / "run", 1) as process:
        with pytest.raises(
            StackedError, match=r"run: somebody works on this run, maybe another process; wait for the end of that"
        ):
            fit(tmp_path / "run")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert weights(fit(tmp_path / "run")) == weights(fit())
    assert [path.name for path in (tmp_path / "run").rglob(".*")] == []


def emptied(path):
    path.write_bytes(b"")


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def half_zeroed(path):
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2].ljust(size, b"\0"))


def removed(path):
    path.unlink()


def newest(folder):
    return max(folder.glob("layer-*.checkpoint-?.safetensors"), key=lambda path: path.stat().st_mtime_ns)


SPOILT = {
    "newest checkpoint": newest,
    "description": lambda folder: folder / "run.json",
    "layer": lambda folder: folder / "layer-1.safetensors",
    "codes": lambda folder: next(folder.glob("codes/*.h5")),
}


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    """The folder of a run that was killed in its second layer."""
    folder = tmp_path_factory.mktemp("cut off") / "run"
    with working_on(folder, 2) as process:
        process.kill()
        process.wait()
    return folder


@pytest.mark.parametrize("spoil", [emptied, halved, half_zeroed, removed])
@pytest.mark.parametrize("what", SPOILT)
@pytest.mark.filterwarnings("ignore::stacked.StackedWarning")
def test_what_a_power_cut_spoils_costs_no_bits_or_is_told_in_one_sentence(what, spoil, cut_off, tmp_path):
    shutil.copytree(cut_off, tmp_path / "run")
    spoil(SPOILT[what](tmp_path / "run"))
    if (what, spoil) == ("description", removed):
        with pytest.raises(StackedError, match=r"run: expected a run, or nothing at all, received .*; name another"):
            fit(tmp_path / "run")
        return
    silent = spoil is removed  # nothing is there, as at the beginning
    with contextlib.nullcontext() if silent else pytest.warns(StackedWarning):
        assert weights(fit(RunDirectory(tmp_path / "run"))) == weights(fit())
    left = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert left == ["layer-1.safetensors", "layer-2.safetensors", "run.json"]
