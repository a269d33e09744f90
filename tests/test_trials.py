"""What experiments share: missing trials are run, failures told, figures summarised, printed and written."""

import functools
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from stacked import DivergedError, LabelledImages, StackedError, StackedWarning
from stacked.trial import Outcome, run_trial

sys.path.append(str(Path(__file__).parents[1] / "experiments"))
from trials import print_summary, run_trials

DATA = LabelledImages(*(np.full(shape, 0.5) for shape in ((4, 3), (4,), (2, 3), (2,))))
LEVELS = {"low": 0.1, "high": 0.7}


def loss(arm, seed):
    return LEVELS[arm] + np.random.default_rng(seed).random()


def compute(arm, seed, scratch, ran=None, diverging=()):
    """Figures of every type; `ran` hears of each trial, and those in `diverging` fail."""
    if ran is not None:
        ran.append((arm, seed))
    if (arm, seed) in diverging:
        raise DivergedError(f"the loss of [bold]{arm} became nan")
    figures = {"loss": loss(arm, seed), "epochs": 3, "curve": [1.0, 0.5], "kind": arm, "ok": True, "by": {"x": 1}}
    return Outcome(figures, {"level": np.full((2, 3), LEVELS[arm] + seed)})


def run(out, compute=compute, *, seeds=4, arms=LEVELS, jobs=1, settings=None, smoke=False, data=DATA):
    flags = {"seeds": seeds, "jobs": jobs, "smoke": smoke, "device": "cpu"}
    return run_trials(out, compute, arms, data=data, settings=settings or {"rate": 0.1}, **flags)


def failing(*diverging, ran=None):
    return functools.partial(compute, ran=ran, diverging=diverging)


# Keeping and going on


def test_only_missing_trials_are_run(tmp_path):
    ran = []
    counting = functools.partial(compute, ran=ran)
    first = run(tmp_path, counting, seeds=2)
    assert sorted(ran) == [("high", 0), ("high", 1), ("low", 0), ("low", 1)]
    ran.clear()
    again = run(tmp_path, counting, seeds=2)
    assert ran == []
    assert (again.figures, again.summary) == (first.figures, first.summary)
    (tmp_path / "runs" / "low-1.json").write_text("damaged")
    more = run(tmp_path, counting, seeds=3)
    assert sorted(ran) == [("high", 2), ("low", 1), ("low", 2)]
    assert {arm: list(of_arm) for arm, of_arm in more.figures.items()} == {"low": [0, 1, 2], "high": [0, 1, 2]}


def test_an_interrupted_experiment_goes_on(tmp_path):
    """Finished trials are not run again, and the one under way finds what it left."""

    def interrupted(arm, seed, scratch):
        scratch.mkdir(parents=True)
        if (arm, seed) == ("low", 1):
            raise KeyboardInterrupt
        return compute(arm, seed, scratch)

    def resumed(arm, seed, scratch):
        ran.append((arm, seed, scratch.exists()))
        return compute(arm, seed, scratch)

    ran = []
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, interrupted, seeds=2)
    run(tmp_path, resumed, seeds=2)
    assert ran == [("low", 1, True), ("high", 1, False)]
    assert not list((tmp_path / "runs").rglob("unfinished"))


def test_the_number_of_jobs_changes_nothing(tmp_path):
    one, two = (run(tmp_path / str(jobs), jobs=jobs) for jobs in (1, 2))
    assert (one.figures, one.summary) == (two.figures, two.summary)
    assert np.array_equal(one.arrays["high"]["level"], two.arrays["high"]["level"])


def test_another_arm_may_be_added(tmp_path):
    ran = []
    run(tmp_path, arms=["low"], seeds=1)
    run(tmp_path, functools.partial(compute, ran=ran), seeds=1)
    assert ran == [("high", 0)]


@pytest.mark.parametrize(
    "other", [{"settings": {"rate": 0.2}}, {"settings": {"rate": 0.1, "more": 1}}, {"smoke": True}]
)
def test_other_settings_are_refused(tmp_path, other):
    run(tmp_path, seeds=1)
    with pytest.raises(StackedError, match="name another folder"):
        run(tmp_path, seeds=1, **other)


def test_arrays_of_the_first_seed_are_kept(tmp_path):
    results = run(tmp_path, failing(("low", 0)), seeds=2)
    assert set(results.arrays) == {"high"}
    assert np.array_equal(results.arrays["high"]["level"], np.full((2, 3), 0.7))
    assert [path.name for path in tmp_path.rglob("*.npz")] == ["high-0.npz"]


# Failures and threads


def test_failed_trials_are_told_and_not_run_again(tmp_path):
    ran = []
    for _ in range(2):
        results = run(tmp_path, failing(("low", 1), ran=ran), seeds=3)
        assert results.failures == {"low": {1: "the loss of [bold]low became nan"}, "high": {}}
        assert list(results.figures["low"]) == [0, 2]
        assert (results.summary["low"]["loss"]["n"], results.summary["low"]["loss"]["failed"]) == (2, 1)
        assert results.summary["high"]["loss"]["failed"] == 0
    assert len(ran) == 6


def test_other_errors_end_the_experiment(tmp_path):
    def wrong(arm, seed, scratch):
        raise StackedError("bad input")

    with pytest.raises(StackedError, match="bad input"):
        run(tmp_path, wrong)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_trial_has_its_threads_and_leaves_the_number_as_it_was(threads, tmp_path):
    def counted(arm, seed, scratch):
        if seed:
            raise DivergedError("failed")
        return Outcome({"threads": torch.get_num_threads()})

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert run_trial(counted, "low", 0, tmp_path, threads) == Outcome({"threads": threads})
        assert run_trial(counted, "low", 1, tmp_path, threads) == Outcome({}, failure="failed")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# Summaries


def test_a_summary_has_the_figures_of_numpy_and_scipy(tmp_path):
    results = run(tmp_path, seeds=5)
    for arm in LEVELS:
        values = [loss(arm, seed) for seed in range(5)]
        summary = results.summary[arm]["loss"]
        assert (summary["n"], summary["failed"]) == (5, 0)
        assert summary["mean"] == pytest.approx(np.mean(values), rel=1e-14)
        assert summary["median"] == np.median(values)
        assert summary["standard_deviation"] == pytest.approx(np.std(values, ddof=1), rel=1e-12)
        expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
        assert summary["interval_95"] == pytest.approx(expected, rel=1e-12)
        assert results.numbers("loss")[arm] == dict(enumerate(values))


def test_only_plain_numbers_are_summarised(tmp_path):
    assert list(run(tmp_path).summary["low"]) == ["loss", "epochs"]


def test_an_arm_without_a_figure_has_no_mean_of_it(tmp_path):
    everything = [("low", seed) for seed in range(3)]
    summary = run(tmp_path, failing(*everything), seeds=3).summary
    assert (summary["low"]["loss"]["n"], summary["low"]["loss"]["failed"]) == (0, 3)
    assert summary["low"]["loss"]["mean"] is None


def test_results_are_written(tmp_path):
    results = run(tmp_path, failing(("low", 0)), seeds=2)
    results.write()
    written = json.loads((tmp_path / "results.json").read_text())
    assert set(written) == {"settings", "versions", "arms", "summary"}
    fixed = {name: written["settings"][name] for name in ("rate", "seeds", "smoke")}
    assert fixed == {"rate": 0.1, "seeds": 2, "smoke": False}
    assert set(written["settings"]["versions"]) == {"stacked", "torch", "numpy"}
    figures = {"1": results.figures["low"][1]}
    assert written["arms"]["low"] == {"figures": figures, "failed": {"0": "the loss of [bold]low became nan"}}
    assert list(written["arms"]["high"]["figures"]) == ["0", "1"]
    assert written["summary"]["high"]["loss"]["interval_95"] == list(results.summary["high"]["loss"]["interval_95"])


# What is printed


def test_the_table_has_means_with_intervals(tmp_path, capsys):
    results = run(tmp_path, failing(("low", 1)))
    assert capsys.readouterr().out == "2 arms x 4 seeds, 1 jobs.\n"
    print_summary(results, {"loss": ("test loss, %", ".1%"), "epochs": "epochs"})
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    mean, (low, high) = (results.summary["low"]["loss"][name] for name in ("mean", "interval_95"))
    assert lines[1].split("  ")[0] == "arm"
    assert all(heading in lines[1] for heading in ("test loss, %", "epochs", "seeds", "failed"))
    assert lines[2].split() == f"low {mean:.1%} [{low:.1%}, {high:.1%}] 3 3 1".split()
    assert lines[-1] == "low: 1 more failed and have no figures: the loss of [bold]low became nan"


def test_one_seed_has_no_interval_and_no_seed_no_figure(tmp_path, capsys):
    print_summary(run(tmp_path, failing(("low", 0)), seeds=1), {"loss": ("loss", ".3f"), "unknown": "unknown"})
    _, _, _, low, high, _ = capsys.readouterr().out.splitlines()
    assert low.split() == ["low", "-", "-", "0", "1"]
    assert high.split() == ["high", f"{loss('high', 0):.3f}", "-", "1", "0"]


def test_no_figure_of_a_wide_table_is_cut_off(tmp_path, capsys):
    many = {f"figure {i}": float("nan") for i in range(12)}
    print_summary(run(tmp_path, lambda arm, seed, scratch: Outcome(many), seeds=2), {name: name for name in many})
    *_, row = capsys.readouterr().out.splitlines()
    assert row.split() == ["high", *["nan", "[nan,", "nan]"] * 12, "2", "0"]


# Warnings, and what becomes of the processes


def test_what_a_trial_was_warned_of_is_passed_on_with_its_name_each_time(tmp_path):
    def warned(arm, seed, scratch):
        if (arm, seed) == ("low", 1):
            warnings.warn("half of it is dead", StackedWarning, stacklevel=1)
        return compute(arm, seed, scratch)

    for _ in range(2):
        with pytest.warns(StackedWarning) as told:
            run(tmp_path, warned, seeds=2)
        assert [str(warning.message) for warning in told] == ["low, seed 1: half of it is dead"]


def test_other_warnings_of_a_trial_are_shown_as_ever(tmp_path):
    def warned(arm, seed, scratch):
        warnings.warn("numbers", RuntimeWarning, stacklevel=1)
        return compute(arm, seed, scratch)

    with pytest.warns(RuntimeWarning, match="numbers"):
        run(tmp_path, warned, seeds=1)


WORK = """
import os, sys, time
from pathlib import Path
from stacked.campaign import finished_trials
from stacked.trial_folder import TrialFolder

def compute(arm, seed, scratch):
    Path(sys.argv[1], f"{os.getpid()}.pid").touch()
    time.sleep(600)

list(finished_trials(compute, ["a", "b"], [0], TrialFolder(Path(sys.argv[1]) / "out", {}), jobs=2))
"""


def test_the_processes_of_a_campaign_that_is_killed_end_with_it(tmp_path):
    """They would go on for nobody, and hold the runs that the next campaign takes up."""
    (tmp_path / "work.py").write_text(WORK)
    campaign = subprocess.Popen([sys.executable, tmp_path / "work.py", tmp_path])
    until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    campaign.kill()
    campaign.wait()
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def until(holds):
    """Wait until something holds, for a minute at most."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to that")
