"""Trials on the workers of a cluster: a backend of joblib serves as joblib's own processes do."""

import dataclasses
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from distributed import Client, LocalCluster
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_info

from stacked import Adam, ClassifierSettings, Denoising, LabelledImages, TrainingConfig
from stacked.campaign import finished_trials
from stacked.comparison import Arm, Recipe, finished_runs
from stacked.trial import Outcome
from stacked.trial_folder import TrialFolder

ARMS = [Arm("denoising", (Denoising(20), Denoising(10))), Arm("random")]
TRAINING = TrainingConfig(epochs=2, batch_size=20, optimizer=Adam(0.01))


@pytest.fixture(scope="module")
def cluster():
    """Two workers, processes of one thread each."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as workers, Client(workers):
        yield workers


@pytest.fixture
def data():
    digits = load_digits()
    x, y = (digits.data / 16).astype(np.float32), digits.target
    return LabelledImages(x[:600], y[:600], x[600:900], y[600:900])


def untimed(runs):
    return sorted((dataclasses.replace(run, seconds=0.0) for run in runs), key=lambda run: (run.arm, run.seed))


def test_runs_on_a_cluster_are_those_of_one_process(cluster, data, tmp_path, monkeypatch):
    """Also in a folder with a relative name: the workers have another working directory."""
    theirs = Path.cwd()
    monkeypatch.chdir(tmp_path)
    recipe = Recipe(ClassifierSettings((64, 20, 10, 10)), TRAINING, TRAINING)
    here, there = TrialFolder(Path("here"), {}), TrialFolder(Path("there"), {})
    alone = untimed(finished_runs(ARMS, recipe, data, range(3), here, jobs=1))
    with joblib.parallel_config(backend="dask"):
        assert untimed(finished_runs(ARMS, recipe, data, range(3), there, jobs=2)) == alone
    for arm in ARMS:
        for name, array in here.arrays(arm.name, 0).items():
            assert np.array_equal(there.arrays(arm.name, 0)[name], array)
    assert not list(Path("there", "runs").rglob("unfinished"))
    assert not (theirs / "there").exists()


def threads(arm, seed, scratch):
    pools = {pool["internal_api"]: pool["num_threads"] for pool in threadpool_info()}
    return Outcome({"torch": torch.get_num_threads(), "pools": pools})


def test_a_trial_on_a_worker_has_one_thread(cluster, tmp_path):
    with joblib.parallel_config(backend="dask"):
        trials = list(finished_trials(threads, ["a", "b"], [0, 1], TrialFolder(tmp_path, {}), jobs=2))
    assert {trial.figures["torch"] for trial in trials} == {1}
    assert {number for trial in trials for number in trial.figures["pools"].values()} == {1}
