"""HDF5: which datasets are mapped into memory, and that every other one is still read right."""

import h5py
import numpy as np
import pytest

from stacked import hdf5
from stacked.errors import StackedError
from stacked.hdf5_rows import DatasetRows, Trusted
from stacked.rows import as_rows, value_range

DTYPES = ["f4", "f8", "f2", "u1", "i2", "i8", "?", ">f4", ">i4", "<u2"]


def table(dtype="f4", shape=(30, 7)):
    return np.random.default_rng(4).integers(0, 100, shape).astype(dtype)


@pytest.fixture
def file(tmp_path):
    """An HDF5 file open for writing."""
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        yield file


def low_level(file, name, kind, x):
    """A contiguous dataset of a type that NumPy does not have."""
    h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(x.shape))
    file[name][...] = x
    return file[name]


def bfloat16():
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_size(2)
    kind.set_ebias(127)
    return kind


def twelve_bits():
    kind = h5py.h5t.STD_I16LE.copy()
    kind.set_precision(12)
    kind.set_offset(4)
    return kind


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_contiguous_dataset_is_mapped(file, dtype):
    x = table(dtype)
    mapped = hdf5.memory_map(file.create_dataset("x", data=x))
    assert isinstance(mapped, np.memmap)
    assert mapped.dtype == x.dtype
    assert np.array_equal(mapped, x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_a_contiguous_dataset_are_its_map(file, dtype):
    rows = as_rows(file.create_dataset("x", data=table(dtype)))
    assert isinstance(rows, np.memmap)
    assert np.array_equal(rows, table(dtype))


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (4, 7)},
        {"chunks": True},
        {"chunks": (4, 7), "compression": "gzip"},
        {"compression": "lzf"},
        {"shuffle": True},
        {"fletcher32": True},
        {"maxshape": (None, 7)},
    ],
    ids=repr,
)
def test_a_chunked_dataset_is_not_mapped_and_read_by_slices(file, options):
    dataset = file.create_dataset("x", data=table(), **options)
    assert hdf5.memory_map(dataset) is None
    rows = as_rows(dataset)
    assert isinstance(rows, DatasetRows)
    assert np.array_equal(rows[3:9], table()[3:9])


def test_a_compact_dataset_is_read(file):
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.COMPACT)
    h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((30, 7)), layout)
    file["x"][...] = table()
    assert np.array_equal(as_rows(file["x"])[0:30], table())


def test_an_external_dataset_is_read(file, tmp_path):
    x = table()
    dataset = file.create_dataset("x", x.shape, x.dtype, external=[(str(tmp_path / "raw"), 0, x.nbytes)])
    dataset[...] = x
    file.flush()
    assert np.array_equal(as_rows(Trusted(dataset))[0:30], x)


def test_a_virtual_dataset_is_read(file):
    file.create_dataset("x", data=table())
    layout = h5py.VirtualLayout((30, 7), "f4")
    layout[:] = h5py.VirtualSource(file["x"])
    assert np.array_equal(as_rows(file.create_virtual_dataset("virtual", layout))[0:30], table())


def test_a_dataset_that_was_never_written_reads_as_its_fill_value(file):
    dataset = file.create_dataset("x", (30, 7), "f4", fillvalue=3)
    assert np.array_equal(as_rows(dataset)[0:30], np.full((30, 7), 3))


@pytest.mark.parametrize("place", ["fills-a-mapped-page", "ends-the-file"])
@pytest.mark.parametrize(("kind", "dtype"), [(bfloat16, "f4"), (twelve_bits, "i2")])
def test_a_type_that_numpy_does_not_have_is_converted(file, kind, dtype, place):
    x = table(dtype)
    dataset = low_level(file, "x", kind(), x)
    if place == "fills-a-mapped-page":
        file.create_dataset("more", data=np.ones(10_000))
    file.flush()
    assert np.array_equal(dataset[...], x)
    assert np.array_equal(as_rows(dataset)[0:30], x)


def test_a_dataset_at_an_odd_place_is_read(file):
    file.create_dataset("first", data=np.ones(5, np.uint8))
    dataset = file.create_dataset("x", data=table())
    assert dataset.id.get_offset() % 4 != 0
    assert np.array_equal(as_rows(dataset), table())


def test_a_dataset_behind_a_user_block_is_mapped_at_its_place(tmp_path):
    with h5py.File(tmp_path / "rows.h5", "w", userblock_size=1024) as file:
        rows = as_rows(file.create_dataset("x", data=table()))
        assert isinstance(rows, np.memmap)
        assert np.array_equal(rows, table())


def test_a_file_that_is_only_read_is_mapped(tmp_path):
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["x"] = table()
    with h5py.File(tmp_path / "rows.h5") as file:
        rows = as_rows(file["x"])
    assert np.array_equal(rows, table())  # the map outlives the file


@pytest.mark.parametrize("driver", ["core", "family", "split"])
def test_a_file_that_is_no_plain_file_is_not_mapped(tmp_path, driver):
    name = "rows%d.h5" if driver == "family" else "rows.h5"
    with h5py.File(tmp_path / name, "w", driver=driver) as file:
        dataset = file.create_dataset("x", data=table())
        assert hdf5.memory_map(dataset) is None
        assert np.array_equal(as_rows(dataset)[0:30], table())


def test_the_map_cannot_be_written_to(file):
    mapped = hdf5.memory_map(file.create_dataset("x", data=table()))
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = -1
    with pytest.raises(ValueError, match="WRITEABLE"):
        mapped.flags.writeable = True


def test_a_dataset_is_found_after_the_working_directory_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with h5py.File("rows.h5", "w") as file:
        dataset = file.create_dataset("x", data=table())
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert np.array_equal(as_rows(dataset)[0:30], table())


@pytest.mark.parametrize("change", ["renamed", "replaced"])
def test_an_open_dataset_is_read_although_its_file_was(tmp_path, change):
    path = tmp_path / "rows.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", data=table())
        file.flush()
        path.rename(tmp_path / "old.h5")
        if change == "replaced":
            path.write_bytes(bytes(100_000))
        assert np.array_equal(as_rows(dataset)[0:30], table())


def test_a_dataset_of_nothing_is_refused(file):
    with pytest.raises(StackedError, match=r"^x: expected"):
        as_rows(file.create_dataset("x", data=h5py.Empty("f4")))


@pytest.mark.parametrize("data", [3.0, np.zeros(4), np.zeros((2, 3, 4))], ids=["scalar", "vector", "three"])
def test_a_dataset_of_another_rank_is_refused(file, data):
    with pytest.raises(StackedError, match="x: expected a table"):
        as_rows(file.create_dataset("x", data=data))


def test_a_dataset_without_rows_is_refused(file):
    with pytest.raises(StackedError, match="x: expected at least one row"):
        as_rows(file.create_dataset("x", (0, 3), "f4"))


def test_a_dataset_of_text_is_refused(file):
    with pytest.raises(StackedError, match="x: expected numbers"):
        as_rows(file.create_dataset("x", data=[["a", "b"]]))


def test_a_dataset_of_a_closed_file_is_refused(file):
    dataset = file.create_dataset("x", data=table())
    file.close()
    with pytest.raises(StackedError, match=r"^x: expected"):
        as_rows(dataset)


def test_a_group_is_refused(file):
    with pytest.raises(StackedError, match=r"^x: expected a table"):
        as_rows(file.create_group("g"))


@pytest.mark.parametrize("options", [{}, {"compression": "gzip", "chunks": (4, 7)}], ids=["contiguous", "gzip"])
def test_a_value_that_is_not_finite_is_named_with_its_place(file, options):
    x = table()
    x[17, 3] = np.nan
    with pytest.raises(StackedError, match="received nan in row 17, column 3;"):
        value_range(as_rows(file.create_dataset("x", data=x, **options)))


@pytest.mark.parametrize("x", [np.zeros((2, 3)), [[1]], None, "x"], ids=repr)
def test_other_things_are_no_datasets(x):
    assert not hdf5.is_dataset(x)


def test_datasets_are_told_from_groups(file):
    assert hdf5.is_dataset(file.create_dataset("x", data=table()))
    assert not hdf5.is_dataset(file)


@pytest.mark.parametrize("user_block", [512, 1024])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_created_file_is_one_that_h5py_reads(tmp_path, dtype, user_block):
    path, x = tmp_path / "codes.h5", table(dtype)
    offset = hdf5.create_contiguous(path, "codes", x.shape, x.dtype, user_block)
    with path.open("r+b") as raw:
        raw.write(b"free".ljust(user_block))
        raw.seek(offset)
        raw.write(x.tobytes())
    with h5py.File(path) as file:
        assert list(file) == ["codes"]
        assert file.userblock_size == user_block
        assert file["codes"].dtype == x.dtype
        assert file["codes"].chunks is None
        assert np.array_equal(file["codes"][...], x)


def test_creating_replaces_a_file(tmp_path):
    path = tmp_path / "codes.h5"
    path.write_bytes(bytes(100_000))
    hdf5.create_contiguous(path, "codes", (3, 2), np.dtype("f4"), 512)
    with h5py.File(path) as file:
        assert file["codes"].shape == (3, 2)


def test_a_dataset_that_shrinks_while_it_is_read_is_told(tmp_path):
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        dataset = file.create_dataset("x", data=np.zeros((100, 3)), chunks=(10, 3), maxshape=(None, 3))
        rows = as_rows(dataset)
        dataset.resize(95, axis=0)
        assert rows[80:90].shape == (10, 3)
        with pytest.raises(StackedError, match="expected rows 90 to 99, received 5 of them; leave it as it is"):
            rows[90:100]
