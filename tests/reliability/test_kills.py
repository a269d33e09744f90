"""Runs killed by SIGKILL at random moments, once resumed, end with the bits of runs that never stopped.

An attempt is killed by the clock, from outside; at one of its operations on files; or in the middle of a write, half
of which is left behind.
"""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from forked import forking
from killed_runs import Kill, Run, attempt, telling, uninterrupted, write_rows

WAYS = ("clock", "operation", "half a write")
AT_ONCE = 2
MOST = 4
"""Kills of one run."""
PATIENCE = 120
"""Seconds after which a process that nobody killed is given up."""


class Ended(NamedTuple):
    """What came of a run: the way of each kill with the files half-written then, whether the bits are right, and
    what lies in the folder that should not."""

    run: Run
    kills: list[tuple[str, list[str]]]
    same: bool
    left: list[str]


class Attempts:
    """Processes that work on runs."""

    def __init__(self):
        self._context = forking()

    def outcome_of(self, run):
        """What comes of a run that keeps nothing and is let alone."""
        return self._last_word(uninterrupted, (run,), PATIENCE)

    def go_on(self, run, kill):
        """Work on the run; what comes of it and how much of each way there was, or None if it was killed."""
        said = self._last_word(attempt, (run, kill), kill.at if kill.way == "clock" else PATIENCE)
        assert said is not None or kill.way != "never", f"nobody killed {run}, and yet it did not end"
        return said

    def _last_word(self, function, arguments, seconds):
        """What a process says at its end; None if it was killed, so many seconds after it began at the latest."""
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=telling, args=(function, *arguments, sender))
        process.start()
        sender.close()
        said = _received(receiver, PATIENCE)
        if said == "begun":
            said = _received(receiver, seconds)
        if said is None:
            process.kill()
        process.join()
        process.close()
        receiver.close()
        assert not isinstance(said, str), said
        return said


def _received(receiver, seconds):
    """What is said within so many seconds; None where nothing is, or nobody is left to say it."""
    try:
        return receiver.recv() if receiver.poll(seconds) else None
    except EOFError:
        return None


def files_of(run):
    return [path for path in run.folder.rglob("*") if not path.is_dir()]


def half_written(run):
    return [path.name for path in files_of(run) if path.name.endswith(".part")]


def left_over(run):
    """What lies about when a run has ended, besides its results and the user's codes."""
    results = [*run.folder.glob("run/[a-z]*[a-z1-9].safetensors"), *run.folder.glob("cache/[!.]*.h5")]
    return [path for path in files_of(run) if path not in (run.folder / "run" / "run.json", *results)]


def until_it_ends(number, folder, attempts):
    """A run from its first attempt to its last, killed at least once."""
    twin = Run(number, folder / f"{number}-twin")
    expected = attempts.outcome_of(twin)
    found, whole = attempts.go_on(twin, Kill())
    assert found == expected, f"{twin} differs although nothing happened"
    chance = random.Random(number)
    for again in range(100):
        run = Run(number, folder / f"{number}-{again}")
        result, kills = killed_now_and_then(run, whole, chance, attempts)
        if kills:
            return Ended(run, kills, result == expected, left_over(run))
    raise AssertionError(f"{twin} always ended before it could be killed")


def killed_now_and_then(run, whole, chance, attempts):
    """What comes of a run, with its kills; `whole` is how much of each way there is in an attempt let alone."""
    kills = []
    for nth in range(chance.randint(1, MOST)):
        way = WAYS[(run.number + nth) % len(WAYS)]
        most = whole[way] / (nth + 1)  # as some of it is done
        ended = attempts.go_on(
            run, Kill(way, chance.uniform(0, most) if way == "clock" else chance.randint(1, max(1, int(most))))
        )
        if ended is not None:
            return ended[0], kills
        kills.append((way, half_written(run)))
    return attempts.go_on(run, Kill())[0], kills


def test_every_run_that_is_killed_and_resumed_ends_with_the_same_bits_and_leaves_nothing(request, tmp_path):
    attempts = Attempts()
    write_rows(tmp_path)
    n_runs = 500 if request.config.getoption("--long", default=False) else 50
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(lambda number: until_it_ends(number, tmp_path, attempts), range(n_runs)))
    assert [run for run, _, same, _ in ended if not same] == []
    assert [(run, left) for run, _, _, left in ended if left] == []
    kills = [kill for run in ended for kill in run.kills]
    shares = {way: [bool(part) for its, part in kills if its == way] for way in WAYS}
    assert min(map(len, shares.values())) >= n_runs // 4, "some way of being killed hardly occurred"
    assert all(
        any(part.startswith(start) for _, parts in kills for part in parts) for start in (".layer-1.checkpoint",)
    )
