"""Several processes train one model: as one would, to rounding; they end together, and go on together."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from shared_trainings import INTERRUPTED, MANY, SUITES, outcome

from stacked import StackedWarning, load_stack
from stacked.examples import Share
from stacked.files import locked
from stacked.randomness import Seeded
from stacked.ranks import ALONE, joined_ranks
from stacked.rows import BLOCK
from stacked.sharing import PartStream

TESTS = Path(__file__).parent
ROWS = np.random.default_rng(0).random((9130, 12), dtype=np.float32)
ENDED = "the same command goes on from the last checkpoint"


def launched(*command, n=2, restarts=0):
    options = [f"--nproc-per-node={n}", f"--max-restarts={restarts}", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS.parent)}
    return {
        "args": [sys.executable, "-m", "torch.distributed.run", *options, *map(str, command)],
        "env": environment,
        "text": True,
    }


@contextlib.contextmanager
def started(command):
    with subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()  # it ends the ranks, which are in sessions of their own


def finished(command):
    """The exit code of a command, what it printed, and what it said of errors."""
    with started(command) as process:
        output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folders of all the trainings, each suite by as many ranks as its name says."""
    folders = {}
    for suite, n in (("two", 2), ("three", 3)):
        folders[suite] = tmp_path_factory.mktemp(suite)
        script = launched(TESTS / "shared_trainings.py", folders[suite], suite, n=n)
        code, _, errors = finished(script)
        assert code == 0, errors
    return folders


def held(folder, name, rank=0):
    with np.load(folder / f"{name}-{rank}.npz") as file:
        return dict(file)


def assert_close(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=tolerance, err_msg=name)


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name].tobytes() != expected[name].tobytes()] == []


@pytest.mark.parametrize(("suite", "name"), [(suite, name) for suite, cases in SUITES.items() for name in cases()])
def test_ranks_train_as_one_process_does(trained, suite, name, tmp_path):
    case = SUITES[suite]()[name]
    alone = outcome(case.fit(tmp_path / "alone"))
    rounding = 1e-12 * 10 ** (len(case.layers) - 1)  # what a layer is trained on is rounded already
    assert_close(held(trained[suite], name), alone, rounding if case.dtype == "float64" else 1e-5)


@pytest.mark.parametrize(
    ("suite", "name"), [("two", "shards"), ("two", "sparse-kl-running"), ("three", "contractive")]
)
def test_all_ranks_end_with_the_same_bits(trained, suite, name):
    first, *others = (held(trained[suite], name, rank) for rank in range({"two": 2, "three": 3}[suite]))
    for other in others:
        assert_same_bits(other, first)


def test_the_codes_of_the_shards_are_one_dataset_with_the_bits_of_one_process(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the shards are found from the file, not from here
    stack = load_stack(trained["two"] / "stack")
    for depth in (1, 2):
        with h5py.File(trained["two"] / "shards" / "codes" / f"layer-{depth}-x.h5") as file:
            dataset = file["codes"]
            assert len(dataset.virtual_sources()) == 2
            assert dataset[...].tobytes() == stack.encode(MANY, depth).tobytes()


def test_where_a_shard_is_gone_its_codes_are_not_numbers(trained):
    with h5py.File(trained["two"] / "shards" / "codes" / "layer-2-x.h5") as file:
        second = (trained["two"] / "shards" / "codes" / file["codes"].virtual_sources()[1].file_name).resolve()
    away = second.rename(second.with_suffix(".away"))
    with h5py.File(trained["two"] / "shards" / "codes" / "layer-2-x.h5") as file:
        is_number = np.isfinite(file["codes"][...]).all(axis=1)
    away.rename(second)
    assert is_number.tolist() == [True] * 2 * BLOCK + [False] * (len(MANY) - 2 * BLOCK)


def test_an_interrupted_run_goes_on_with_the_same_bits(trained):
    assert_same_bits(held(trained["two"], "resumed"), held(trained["two"], "whole"))


def test_another_number_of_processes_goes_on_with_a_run(trained, tmp_path):
    with pytest.warns(StackedWarning, match="begun with .*processes = 2 and goes on with .*processes = 1"):
        stack = INTERRUPTED.fit(trained["two"] / "left")
    assert_close(outcome(stack), outcome(INTERRUPTED.fit(tmp_path / "alone")), 1e-12)


@pytest.mark.parametrize(
    ("name", "teller", "message"),
    [
        ("no run", 0, "run: expected a folder that all ranks see, received None; pass one, for there they leave"),
        ("bad rows on rank 1", 1, "x: expected finite numbers, received inf in row 0, column 0; remove or fill in"),
        ("other rows on rank 1", 0, "run: expected the same on all ranks, run values of x = "),
        ("another folder on rank 1", 1, "expected the run that rank 0 has there, received none; name a folder"),
    ],
)
def test_one_rank_tells_what_is_wrong(trained, name, teller, message):
    for rank in (0, 1):
        kind, told = json.loads((trained["two"] / f"refusals-{rank}.json").read_text())[name]
        assert message in told
        assert kind == ("StackedError" if rank == teller else "RefusedElsewhereError")


def test_a_training_diverges_on_all_ranks(trained):
    for rank in (0, 1):
        kind, told = json.loads((trained["two"] / f"refusals-{rank}.json").read_text())["diverging"]
        assert kind == "DivergedError"
        assert "the loss became inf in epoch " in told


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_a_part_of_a_minibatch_has_the_noise_it_would_have_in_one_process(n):
    streams = [Seeded(0).stream("noise") for _ in range(4)]
    like = torch.empty(n, 7, dtype=torch.float64)
    whole = [streams[0].keep_mask(like, 0.3), streams[0].normal(like), streams[0].uniform_(like.clone(), 0, 2)]
    for rank, stream in enumerate(streams[1:]):
        part = slice(*Share(rank, 3).part_of(n))
        own = PartStream(stream, n, part)
        drawn = [own.keep_mask(like[part], 0.3), own.normal(like[part]), own.uniform_(like[part].clone(), 0, 2)]
        assert all(torch.equal(some, all_of_them[part]) for some, all_of_them in zip(drawn, whole, strict=True))
        assert torch.equal(own.state(), streams[0].state())


@pytest.mark.parametrize("n", [1, 4096, 4097, 9130, 50000])
def test_blocks_are_shared_out_whole_and_in_order(n):
    parts = [Share(rank, 3).blocks_of(n) for rank in range(3)]
    assert [row for part in parts for row in range(*part)] == list(range(n))
    assert all(start % BLOCK == 0 or start == n for start, _ in parts)


def test_a_process_on_its_own_exchanges_nothing():
    with joined_ranks() as ranks:
        assert ranks is ALONE
    values = torch.ones(3)
    assert ALONE.sum_(values) is values
    assert ALONE.gather({"a": 1}) == [{"a": 1}]


TEXT = "denoising:8:mask=0.3, sparse:5"


def pretraining(folder, out, rows="rows.h5", **options):
    how = ["--layers", TEXT, "--epochs", "8", "--batch-size", "100"]
    with h5py.File(folder / "rows.h5", "a") as file:
        if "x" not in file:
            file["x"] = ROWS
    return launched("-m", "stacked", "pretrain", folder / rows, "--out", folder / out, *how, **options)


def told_by(output):
    """The lines of the command itself, without those of torchrun."""
    return [line for line in output.splitlines() if line.startswith(("error:", "warning:", "interrupted"))]


def weights(folder):
    return [tensor.numpy().tobytes() for layer in load_stack(folder).layers for tensor in layer.state_dict().values()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    code, output, errors = finished(pretraining(folder, "whole"))
    assert code == 0, errors
    assert told_by(errors) == []
    assert output.count("written to") == 1
    return folder


def end_one(process, folder, rank, which):
    """Send a signal to a rank once the first layer is trained; for None to torchrun, which passes it on to all."""
    while not (folder / "layer-1.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.01)
    if rank is None:
        process.send_signal(which)
        return
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (found,) = [pid for pid in children if f"\0RANK={rank}\0" in Path(f"/proc/{pid}/environ").read_text()]
    os.kill(int(found), which)


def test_when_a_rank_is_killed_the_others_say_so_and_the_same_command_goes_on(undisturbed):
    command = pretraining(undisturbed, "killed")
    with started(command) as process:
        end_one(process, undisturbed / "killed.run", 0, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    (line,) = told_by(errors)
    assert line.startswith("error: rank 1: ")
    assert "another process of the training was lost" in line
    assert line.endswith(ENDED)
    assert not (undisturbed / "killed").exists()
    code, _, errors = finished(command)
    assert code == 0, errors
    assert weights(undisturbed / "killed") == weights(undisturbed / "whole")
    assert not (undisturbed / "killed.run").exists()


def test_torchrun_starts_the_ranks_again(undisturbed):
    with started(pretraining(undisturbed, "restarted", restarts=1)) as process:
        end_one(process, undisturbed / "restarted.run", 1, signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    (line,) = told_by(errors)
    assert line.startswith("error: rank 0: ")
    assert weights(undisturbed / "restarted") == weights(undisturbed / "whole")


def test_ctrl_c_ends_all_with_one_line(undisturbed):
    with started(pretraining(undisturbed, "interrupted")) as process:
        end_one(process, undisturbed / "interrupted.run", None, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    kept = f"{undisturbed / 'interrupted.run'} keeps all but the last half minute at most"
    assert told_by(errors) == [f"interrupted; {kept}: the same command goes on from there"]
    with locked(undisturbed / "interrupted.run" / "run", wait=False):  # nobody is left
        pass


def test_bad_input_is_told_once(undisturbed):
    code, _, errors = finished(pretraining(undisturbed, "never", rows="none.h5"))
    assert code != 0
    (line,) = told_by(errors)
    assert line.startswith(f"error: {undisturbed / 'none.h5'}: ")
    assert not (undisturbed / "never.run").exists()
