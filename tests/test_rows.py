"""Rows, examples and devices: what is accepted, what is refused and how, and that nothing is copied without need."""

import math

import numpy as np
import pytest
import torch

from stacked import Plain, StackedAutoencoder, TrainingConfig
from stacked.devices import device_named, dtype_named, numpy_dtype
from stacked.errors import StackedError
from stacked.examples import Examples, as_labels, check_two_classes
from stacked.randomness import Seeded
from stacked.rows import (
    BLOCK,
    addressable,
    as_rows,
    blocks,
    fingerprint,
    map_rows,
    read_tensor,
    to_tensor,
    value_range,
)
from stacked.scaled_rows import ScaledRows

CPU = torch.device("cpu")
DTYPES = ["f4", "f8", "f2", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "?", ">f4", ">f8", ">i2", "g"]
ADDRESSABLE = ["f4", "f8", "u1"]


def whole(dtype="f4", shape=(6, 4)):
    """Whole numbers that every dtype but bool holds."""
    return np.random.default_rng(2).integers(0, 100, shape).astype(dtype)


def layouts(x):
    """Arrays of the same values that lie in memory in different ways."""
    spread = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)
    spread[::2, ::3] = x
    packed = np.zeros(len(x), [("pad", "u1"), ("x", x.dtype, x.shape[1:])])
    packed["x"] = x
    return {
        "c": x,
        "fortran": np.asfortranarray(x),
        "transposed": np.ascontiguousarray(x.T).T,
        "spread": spread[::2, ::3],
        "backwards": np.ascontiguousarray(x[::-1])[::-1],
        "mirrored": np.ascontiguousarray(x[:, ::-1])[:, ::-1],
        "packed": packed["x"],
        "unaligned": unaligned(x),
    }


def unaligned(x):
    room = np.zeros(x.nbytes + 1, np.uint8)
    room[1:] = x.reshape(-1).view(np.uint8)
    return np.ndarray(x.shape, x.dtype, room, 1)


layout = pytest.mark.parametrize("layout", layouts(whole()))


# What is accepted


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_is_taken_as_it_is(dtype):
    x = whole(dtype)
    assert as_rows(x) is x


@layout
def test_an_array_of_any_layout_is_taken_without_a_copy(layout):
    x = layouts(whole())[layout]
    assert np.shares_memory(as_rows(x), x)


def test_a_read_only_array_is_taken_without_a_copy_or_a_warning():
    x = whole()
    x.flags.writeable = False
    rows = as_rows(x)
    assert to_tensor(rows).data_ptr() == x.ctypes.data


def test_a_memory_map_is_taken_without_a_copy_or_a_warning(tmp_path):
    x = whole()
    x.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", "f4", "r", shape=x.shape)
    rows = as_rows(mapped)
    assert to_tensor(np.asarray(rows)).data_ptr() == mapped.ctypes.data
    assert np.array_equal(rows, x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8, torch.int64, torch.float16, torch.bool])
def test_a_tensor_is_taken_without_a_copy(dtype):
    x = torch.from_numpy(whole()).to(dtype)
    rows = as_rows(x)
    assert isinstance(rows, np.ndarray)
    assert rows.ctypes.data == x.data_ptr()
    assert rows.tolist() == x.tolist()


def test_a_tensor_that_requires_gradients_is_taken():
    assert np.array_equal(as_rows(torch.ones(2, 3, requires_grad=True)), np.ones((2, 3)))


@pytest.mark.parametrize(
    "x",
    [[[1, 2], [3, 4]], ((1.0, 2.0), (3.0, 4.0)), [np.array([1, 2]), np.array([3, 4])], [range(1, 3), range(3, 5)]],
)
def test_sequences_become_an_array(x):
    assert np.array_equal(as_rows(x), [[1, 2], [3, 4]])


def test_scaled_rows_are_taken_as_they_are():
    x = ScaledRows(whole("u1"), 255)
    assert as_rows(x) is x


# What is refused


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (1, 1, 1, 1)], ids=["scalar", "vector", "three", "four"])
@pytest.mark.parametrize("kind", [np.zeros, torch.zeros, lambda shape: np.zeros(shape).tolist()])
def test_another_rank_is_refused_with_its_shape_and_a_remedy(shape, kind):
    with pytest.raises(StackedError) as caught:
        as_rows(kind(shape), "validation")
    message = str(caught.value)
    assert message.startswith("validation: expected a table of shape (n, n_inputs)")
    assert f"received shape {shape}" in message
    assert "reshape" in message


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_an_empty_table_is_refused(shape):
    with pytest.raises(StackedError, match="x: expected at least one row and one column"):
        as_rows(np.zeros(shape))


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((2, 3), complex),
        np.full((2, 3), "a"),
        np.full((2, 3), b"a"),
        np.full((2, 3), None),
        np.zeros((2, 3), "M8[s]"),
        np.zeros((2, 3), "m8[s]"),
        np.zeros((2, 3), [("a", "f4")]),
        torch.zeros(2, 3, dtype=torch.complex64),
        [["a", "b"]],
    ],
    ids=["complex", "str", "bytes", "object", "date", "span", "record", "complex-tensor", "list-of-str"],
)
def test_what_is_no_number_is_refused(x):
    with pytest.raises(StackedError, match="x: expected numbers, received dtype"):
        as_rows(x)


NO_TABLES = [None, "abc", {"a": 1}, object(), [[1, 2], [3]], {1, 2}]


@pytest.mark.parametrize("x", NO_TABLES, ids=lambda x: type(x).__name__)
def test_what_is_no_table_is_refused(x):
    with pytest.raises(StackedError, match="x: expected a table"):
        as_rows(x)


@pytest.mark.parametrize(
    "x", [torch.zeros(2, 3, dtype=torch.bfloat16), torch.eye(3).to_sparse()], ids=["bfloat16", "sparse"]
)
def test_tensors_that_numpy_does_not_know_are_refused(x):
    with pytest.raises(StackedError, match=r"^x: expected"):
        as_rows(x)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_another_width_is_refused_with_both_widths(width):
    with pytest.raises(StackedError, match=rf"x: expected {width} columns, received 4"):
        as_rows(whole(), "x", width)


# Range and finiteness


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "u1", "u2", "i1", "i8", ">f4", "g"])
def test_the_range_is_that_of_all_rows(dtype):
    low = 3 if np.dtype(dtype).kind == "u" else -7
    x = whole(dtype, (2 * BLOCK + 5, 2)).clip(10, 110)
    x[BLOCK, 1], x[-1, 0] = 120, low
    assert value_range(x) == (low, 120)


@pytest.mark.parametrize("row", [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK, 2 * BLOCK + 4])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f8"])
def test_a_value_that_is_not_finite_is_named_with_its_place(row, value, dtype):
    x = whole(dtype, (2 * BLOCK + 5, 4))
    x[row, 2] = value
    with pytest.raises(
        StackedError, match=rf"^validation: expected finite numbers, received {value} in row {row}, column 2;"
    ):
        value_range(x, "validation")


def test_the_first_of_several_is_named():
    x = whole(shape=(9, 4))
    x[7, 1], x[5, 3], x[5, 2] = math.nan, math.inf, -math.inf
    with pytest.raises(StackedError, match="received -inf in row 5, column 2;"):
        value_range(x)


def test_a_number_beyond_float64_is_refused():
    x = whole("g")
    x[1, 2] = np.longdouble("1e4000")
    with pytest.raises(StackedError, match="row 1, column 2"):
        value_range(x)


def test_the_range_of_scaled_rows_is_scaled():
    x = ScaledRows(np.array([[51, 0], [255, 102]], np.uint8), 255)
    assert value_range(x) == (0.0, 1.0)


# Tensors of rows


@pytest.mark.parametrize("dtype", DTYPES)
@layout
def test_a_tensor_of_rows_has_their_values(layout, dtype):
    x = whole(dtype)
    tensor = to_tensor(layouts(x)[layout])
    assert tensor.tolist() == x.astype(float).tolist()


@pytest.mark.parametrize("dtype", ADDRESSABLE)
@pytest.mark.parametrize("layout", ["c", "fortran", "spread"])
def test_a_tensor_of_a_common_dtype_shares_the_memory(layout, dtype):
    x = layouts(whole(dtype))[layout]
    assert to_tensor(x).data_ptr() == x.ctypes.data


@pytest.mark.parametrize("dtype", DTYPES)
def test_only_common_dtypes_are_addressable(dtype):
    assert addressable(whole(dtype)) == (dtype in ADDRESSABLE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("stored", DTYPES)
def test_some_rows_are_read_in_the_dtype_asked_for(stored, dtype):
    x = whole(stored, (20, 3))
    tensor = read_tensor(x, slice(4, 9), dtype, CPU)
    assert tensor.dtype == dtype
    assert tensor.tolist() == x[4:9].astype(float).tolist()


@pytest.mark.parametrize("dtype", ["f2", "u2", "i8", "?", ">f4"])
def test_rows_of_other_dtypes_train_and_encode_as_floats_do(dtype):
    x = whole(dtype, (50, 6)) if dtype == "?" else (whole("f4", (50, 6)) // 30).astype(dtype)
    config = TrainingConfig(epochs=2, batch_size=20)
    stacks = [
        StackedAutoencoder([Plain(3, output="linear")], config).fit(rows, progress=False)
        for rows in (x, x.astype("f4"))
    ]
    codes = [stacks[0].encode(rows) for rows in (x, x.astype("f4"))]
    assert np.array_equal(*codes)
    assert np.array_equal(stacks[0].encode(x), stacks[1].encode(x))


@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_blocks_are_the_rows_in_order(n):
    x = whole(shape=(n, 2))
    pieces = list(blocks(x))
    assert [start for start, _ in pieces] == list(range(0, n, BLOCK))
    assert np.array_equal(np.concatenate([block for _, block in pieces]), x)


@pytest.mark.parametrize("n", [1, BLOCK, BLOCK + 3])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_function_is_mapped_over_all_rows(n, dtype):
    x = whole("u1", (n, 3))
    out = np.full((n, 2), np.nan, dtype)
    assert map_rows(lambda t: 2 * t[:, :2] + 1, x, out, CPU) is out
    assert np.array_equal(out, 2.0 * x[:, :2] + 1)


def test_mapping_records_no_gradients():
    weight = torch.ones(3, 3, requires_grad=True)
    out = map_rows(lambda t: t @ weight, whole(shape=(4, 3)), np.empty((4, 3), "f4"), CPU)
    assert np.array_equal(out, whole(shape=(4, 3)) @ np.ones((3, 3), "f4"))


# Rows kept as bytes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("index", [slice(None), slice(2, 5), 3, [4, 1], (slice(None), 2)], ids=str)
def test_scaled_rows_are_the_quotients_to_the_last_bit(index, dtype):
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rows, expected = ScaledRows(stored, 255, dtype), stored.astype(dtype) / np.dtype(dtype).type(255)
    assert rows.shape == (16, 16)
    assert len(rows) == 16
    assert rows[index].dtype == dtype
    assert np.array_equal(rows[index], expected[index])
    assert np.array_equal(np.asarray(rows), expected)
    assert np.array_equal(np.asarray(rows, np.float64), expected.astype(np.float64))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensors_of_scaled_rows_are_the_quotients_to_the_last_bit(dtype):
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    tensor = read_tensor(ScaledRows(stored, 255, dtype), slice(0, 16), dtype_named(dtype), CPU)
    assert np.array_equal(tensor.numpy(), stored.astype(dtype) / np.dtype(dtype).type(255))


# Fingerprints


@pytest.mark.parametrize("n", [7, BLOCK + 7])
def test_a_fingerprint_does_not_depend_on_where_the_values_lie(n):
    x = whole(shape=(n, 4))
    prints = {fingerprint(version) for version in layouts(x).values()}
    assert len(prints) == 1


def test_scaled_rows_have_the_fingerprint_of_their_floats():
    stored = whole("u1", (50, 4))
    assert fingerprint(ScaledRows(stored, 255)) == fingerprint(stored.astype("f4") / np.float32(255))


def test_scaled_rows_are_their_floats_in_training_of_another_precision_too():
    """What has one fingerprint must have one outcome."""
    stored = whole("u1", (60, 4))
    floats = stored.astype("f4") / np.float32(255)
    config = TrainingConfig(epochs=2, batch_size=7)
    trained = [
        StackedAutoencoder([Plain(3)], config, dtype="float64").fit(x) for x in (ScaledRows(stored, 255), floats)
    ]
    assert np.array_equal(*(stack.encode(floats) for stack in trained))
    assert np.array_equal(*(trained[0].encode(x) for x in (ScaledRows(stored, 255), floats)))


def test_every_difference_changes_the_fingerprint():
    x = whole(shape=(2 * BLOCK, 2))
    versions = [x, x.reshape(BLOCK, 4), x.astype("f8"), x.view("i4"), x[:-1], x[::-1], x[:, ::-1]]
    for place in [(0, 0), (BLOCK - 1, 1), (BLOCK, 0), (-1, -1)]:
        changed = x.copy()
        changed[place] = np.nextafter(changed[place], np.float32(1000))
        versions.append(changed)
    negative_zero = np.where(x == 0, np.float32(-0.0), x)
    assert (np.signbit(negative_zero)).any()
    versions.append(negative_zero)
    assert len({fingerprint(version) for version in versions}) == len(versions)


# Labels and examples


@pytest.mark.parametrize(
    "labels",
    [
        [0, 2, 1],
        (0, 2, 1),
        np.array([0, 2, 1], np.uint8),
        np.array([0, 2, 1], np.int16),
        np.array([0.0, 2.0, 1.0], np.float32),
        torch.tensor([0, 2, 1]),
        torch.tensor([0.0, 2.0, 1.0], requires_grad=True),
        range(0, 3),
    ],
    ids=["list", "tuple", "uint8", "int16", "float", "tensor", "float-tensor", "range"],
)
def test_labels_become_int64(labels):
    made = as_labels(labels, 3, 3)
    assert made.dtype == np.int64
    assert made.tolist() == [int(label) for label in labels]


def test_truth_values_are_two_classes():
    assert as_labels([True, False], 2, 2).tolist() == [1, 0]


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2, 0], [[0], [1], [2]], np.eye(3), 1, [], None], ids=repr)
def test_one_label_a_row_is_expected(labels):
    with pytest.raises(StackedError, match=r"labels: expected shape \(3,\), received shape"):
        as_labels(labels, 3, 3)


@pytest.mark.parametrize(
    "labels",
    [[[0], [1, 2], [1]], torch.zeros(3, dtype=torch.bfloat16), ["a", "b", "c"], [None, 1, 2], [0, 1, 1j]],
    ids=["ragged", "bfloat16", "str", "object", "complex"],
)
def test_labels_that_are_no_numbers_are_refused(labels):
    with pytest.raises(StackedError, match=r"^labels: expected"):
        as_labels(labels, 3, 3)


@pytest.mark.parametrize(("value", "named"), [(0.5, r"\b0\.5\b"), (1.75, r"\b1\.75\b"), (math.nan, r"\bnan\b")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_label_between_classes_is_refused_and_named(place, value, named):
    labels = [0.0, 1.0, 2.0]
    labels[place] = value
    with pytest.raises(StackedError, match=rf"^labels: expected whole numbers, received .*{named}"):
        as_labels(labels, 3, 3)


@pytest.mark.parametrize("value", [-1, 3, 255, 10**12, math.inf, -math.inf])
def test_a_label_beyond_the_classes_is_refused_with_the_range(value):
    with pytest.raises(StackedError, match=r"^validation labels: expected labels from 0 to 2, received values from"):
        as_labels([0, value, 1], 3, 3, "validation labels")


def test_one_class_is_too_few():
    rows = whole(shape=(3, 2))
    with pytest.raises(StackedError, match="labels: expected at least two classes, received class 4 only"):
        check_two_classes(Examples.all_of(rows, np.array([4, 4, 4])))
    check_two_classes(Examples.all_of(rows, np.array([4, 0, 4])))


def test_all_examples_take_part():
    examples = Examples.all_of(whole(shape=(5, 2)), np.arange(5))
    assert list(examples.numbers) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("fraction", "aside"), [(0.1, 10), (0.5, 50), (0.9, 90), (0.004, 0)])
def test_a_split_parts_the_rows_in_their_old_order(fraction, aside):
    examples = Examples.all_of(whole(shape=(100, 2)), np.arange(100))
    kept, held_out = examples.split(fraction, Seeded(0).stream("validation"))
    assert len(held_out.numbers) == aside
    assert sorted(kept.numbers.tolist() + held_out.numbers.tolist()) == list(range(100))
    for part in (kept, held_out):
        assert part.numbers.tolist() == sorted(part.numbers.tolist())
        assert part.rows is examples.rows
        assert part.labels is examples.labels


def test_a_split_of_a_split_stays_within_it():
    examples = Examples.all_of(whole(shape=(100, 2)))
    kept, _ = examples.split(0.5, Seeded(0).stream("a"))
    rest, aside = kept.split(0.2, Seeded(0).stream("b"))
    assert sorted(rest.numbers.tolist() + aside.numbers.tolist()) == kept.numbers.tolist()


def test_a_split_is_random():
    examples = Examples.all_of(whole(shape=(100, 2)))
    parts = [examples.split(0.5, Seeded(seed).stream("a"))[1].numbers.tolist() for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]


# Devices and dtypes


@pytest.mark.parametrize("name", ["cpu", torch.device("cpu")])
def test_the_cpu_is_always_there(name):
    assert device_named(name) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "", "cpu:x", "meta", "xla", None, 3.5, ["cpu"]])
def test_a_device_that_cannot_be_used_is_refused_with_a_remedy(name):
    with pytest.raises(StackedError, match=r"device: expected .*; use 'cpu'"):
        device_named(name)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_an_accelerator_is_found_exactly_where_torch_finds_one(kind):
    available = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}[kind]()
    if available:
        assert device_named(kind).type == kind
    else:
        with pytest.raises(StackedError, match=r"device: expected one that torch finds here \('cpu'\)"):
            device_named(kind)


@pytest.mark.parametrize(
    ("name", "torchs", "numpys"), [("float32", torch.float32, "f4"), ("float64", torch.float64, "f8")]
)
def test_a_dtype_is_known_to_torch_and_numpy(name, torchs, numpys):
    assert dtype_named(name) == torchs
    assert numpy_dtype(torchs) == np.dtype(numpys)


@pytest.mark.parametrize("name", ["float16", "double", None, torch.float32, np.float32, 32, ["float32"]], ids=repr)
def test_another_dtype_is_refused(name):
    with pytest.raises(StackedError, match="dtype: expected one of 'float32', 'float64'"):
        dtype_named(name)
