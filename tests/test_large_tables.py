"""A table larger than the memory that a process may take: trained on, encoded and evaluated all the same."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

N, WIDTH = 98_304, 784
FILE_BYTES, ROOM = N * WIDTH * 4, 200 * 10**6

SCRIPT = """
import resource, sys
import numpy as np
from stacked import FeedforwardClassifier, Plain, StackedAutoencoder, TrainingConfig, load_hdf5, orders

def own_bytes():
    fields = dict(line.split(":") for line in open("/proc/self/status"))
    return int(fields["VmData"].split()[0]) * 1024

orders.MIXING_BYTES = 32 * 2**20
config = TrainingConfig(epochs=1, batch_size=500, validation_fraction=0.05)
small = np.zeros((5000, {width}), np.float32)
StackedAutoencoder([Plain(8), Plain(6)], config).fit(small, progress=False)  # so that all libraries are there
limit = own_bytes() + {room}
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones({file_bytes} // 8)
except MemoryError:
    print("the table does not fit")
path = sys.argv[1]
rows = np.load(path, mmap_mode="r") if path.endswith("npy") else load_hdf5(path, "x")
stack = StackedAutoencoder([Plain(8), Plain(6)], config).fit(rows, progress=False)
codes = stack.encode(rows)
np.save(path + ".codes.npy", codes)
stack.reconstruct(rows, out=np.memmap(path + ".rows", np.float32, "w+", shape=rows.shape))
labels = np.arange(len(rows)) % 10
classifier = FeedforwardClassifier.from_stack(stack, 10, freeze=True)
print(0 <= classifier.fit(rows, labels, config, progress=False).error_rate(rows, labels) <= 1)
"""


def in_npy(x, folder):
    np.save(folder / "rows.npy", x)
    return folder / "rows.npy"


def in_hdf5(x, folder, **options):
    with h5py.File(folder / "rows.h5", "w") as file:
        file.create_dataset("x", data=x, **options)
    return folder / "rows.h5"


def in_chunks(x, folder):
    return in_hdf5(x, folder, chunks=(512, WIDTH), compression="gzip", compression_opts=1)


@pytest.mark.parametrize("place", [in_npy, in_hdf5, in_chunks])
def test_a_table_beyond_the_memory_of_the_process(place, tmp_path):
    x = np.zeros((N, WIDTH), np.float32)
    x[np.arange(N), np.arange(N) % WIDTH] = 1
    path = place(x, tmp_path)
    script = SCRIPT.format(width=WIDTH, room=ROOM, file_bytes=FILE_BYTES)
    finished = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "the table does not fit\nTrue\n"
    codes = np.load(f"{path}.codes.npy")
    assert np.array_equal(codes[: N // WIDTH * WIDTH].reshape(-1, WIDTH, 6)[5], codes[:WIDTH])
