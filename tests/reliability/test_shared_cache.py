"""Eight processes on one cache folder, some of them killed: no wrong read, nothing computed twice, nothing left."""

import itertools
import random
import signal
import time
from collections import Counter

import pytest
from forked import forking
from hammering import Orders, codes_of, events_in, hammer, values_of

from stacked.cache import CodeCache

N_PROCESSES = 8
SECONDS = {False: 60, True: 600}


@pytest.fixture
def seconds(request):
    """How long the processes go on; longer with `--long`."""
    return SECONDS[request.config.getoption("--long")]


class Processes:
    """Processes that hammer on one cache, each replaced when it has been killed."""

    def __init__(self, orders, logs):
        self._context, self._orders, self._logs = forking(), orders, logs
        self._started = []
        self._running = [self._start() for _ in range(N_PROCESSES)]

    def run(self):
        """Until the time is over; now and then kill one, wherever it is. Returns how many were killed."""
        draw = random.Random(0)
        while any(process.is_alive() for process in self._running):
            time.sleep(0.1)
            if time.time() < self._orders.until:
                if draw.random() < 0.1:
                    draw.choice(self._running).kill()
                self._running = [process if process.is_alive() else self._start() for process in self._running]
        codes = Counter(process.exitcode for process in self._started)
        assert set(codes) <= {0, -signal.SIGKILL}, self.events("failed")
        return codes[-signal.SIGKILL]

    def events(self, kind=None):
        """What all processes said, process by process; only events of one kind, if wanted."""
        every = [events_in(log) for log in sorted(self._logs.iterdir())]
        return every if kind is None else [what for events in every for event, what in events if event == kind]

    def _start(self):
        number = len(self._started)
        process = self._context.Process(target=hammer, args=(self._orders, self._logs / str(number), number))
        process.start()
        self._started.append(process)
        return process


def hammered(tmp_path, seconds, **orders):
    """The cache afterwards, what the processes said, and how many were killed."""
    (tmp_path / "logs").mkdir()
    started = time.time()
    common = {"folder": tmp_path / "codes", "until": started + seconds, "seconds_of_keys": 1.5, "deaths": 0.04}
    processes = Processes(Orders(**common, **orders), tmp_path / "logs")
    killed = processes.run()
    cache = CodeCache(tmp_path / "codes", orders["max_bytes"])
    cache.get(codes_of("last"), lambda out: out.fill(1))  # whoever adds an entry removes what killed processes left
    return cache, processes, killed


def nothing_is_left_half_done(cache):
    names = [path.name for path in cache.folder.iterdir()]
    assert [name for name in names if name.startswith(".") or not name.endswith(".h5")] == []
    assert cache.verify_all() == {}


def test_codes_are_computed_by_one_process_and_read_right_by_all(tmp_path, seconds):
    cache, processes, killed = hammered(tmp_path, seconds, max_bytes=2**40, n_keys=30, one_computation=True)
    nothing_is_left_half_done(cache)
    delivered, lost = Counter(), 0
    for events in processes.events():
        for event, following in itertools.pairwise([*events, None]):  # none at all where one was killed at its start
            if event[0] == "computed" and following is not None:
                assert following == ("got", event[1])
                delivered[event[1]] += 1
            lost += event[0] in {"computing", "computed"} and following is None
    assert set(delivered.values()) == {1}
    asked = set(processes.events("got"))
    assert delivered.keys() <= asked
    assert {entry.codes.key for entry in cache.entries()} >= asked
    # The test has seen what it is about: kills inside and outside computations, and many reads of each entry.
    assert 0 < lost <= killed
    assert len(processes.events("got")) > 5 * len(asked) > 100


def test_reading_and_pruning_at_once_give_no_wrong_codes(tmp_path, seconds):
    room = 6 * (values_of("").nbytes + 4096)
    orders = {"max_bytes": room, "n_keys": 24, "one_computation": False}
    cache, processes, killed = hammered(tmp_path, seconds / 3, **orders)
    nothing_is_left_half_done(cache)
    assert cache.size() <= room
    computed, got = processes.events("computed"), processes.events("got")
    assert killed > 0
    assert len(computed) > 2 * len(set(computed))  # pruned, asked for again, and computed again
    assert len(got) > len(computed)  # and still found at times
