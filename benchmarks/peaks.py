"""The memory that a process takes for itself, watched while it works."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PEAKS = ("RssAnon", "VmData")
"""Names in /proc/self/status: memory of its own that a process has in use, and what RLIMIT_DATA is a limit on."""


@contextmanager
def watched_peaks() -> Iterator[dict[str, float]]:
    """The largest sizes of this process in megabytes, looked at every 10 ms."""
    peaks, done = dict.fromkeys(PEAKS, 0.0), threading.Event()

    def look() -> None:
        while True:
            for line in Path("/proc/self/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in peaks:
                    peaks[name] = max(peaks[name], float(value.split()[0]) * 1024 / 1e6)
            if done.wait(0.01):
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()
