"""Tables of named columns, in text and in Parquet: the numbers that other readers find, mistakes by their place."""

import csv
import gzip
import io
import re
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacked import Plain, StackedAutoencoder, StackedError, StackedWarning, TrainingConfig, arrow_tables, orders
from stacked.columns_in_files import read_values
from stacked.scaling import learnt_scaling
from stacked.table_names import Place
from stacked.tables import Data, Wanted, read_data, read_table

ROWS = np.random.default_rng(0).normal(0, 100, (130, 4)).astype(np.float32)
NAMES = ("a", "b b", "c", "d")
LABELS = [("M", "B")[number % 3 == 0] for number in range(130)]


def written(path, lines, separator=",", end="\n"):
    """Lines of cells, as Python's csv module writes them."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(lines)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


def with_labels(rows=ROWS):
    """A line of names and lines of numbers, the labels in the middle."""
    return [
        [*NAMES[:2], "label", *NAMES[2:]],
        *([*row[:2], label, *row[2:]] for row, label in zip(rows.tolist(), LABELS, strict=True)),
    ]


def in_parquet(path, **columns):
    """Columns by their names."""
    pa.parquet.write_table(pa.table(columns), path, row_group_size=50)
    return str(path)


@pytest.fixture(params=["csv", "csv.gz", "semicolons.csv", "tabs.csv", "tsv", "tsv.gz", "parquet"])
def table(request, tmp_path):
    """The file of one table, in every form."""
    path, separator = tmp_path / f"rows.{request.param}", ","
    if request.param == "parquet":
        columns = dict(zip(NAMES, ROWS.T, strict=True))
        return in_parquet(path, **{"a": columns["a"], "b b": columns["b b"], "label": LABELS, **columns})
    separator = {"semicolons": ";", "tabs": "\t", "tsv": "\t"}.get(request.param.split(".")[0], ",")
    return written(path, with_labels(), separator)


def test_rows_and_target_are_read_by_their_names(table):
    rows, columns, target = read_data(table, Wanted(target="label"))
    assert (columns, target.tolist()) == (NAMES, LABELS)
    assert np.array_equal(rows, ROWS)


@pytest.mark.parametrize(
    ("columns", "dtype"),
    [
        ({"x": pa.float32(), "y": pa.float16(), "z": pa.bool_(), "i": pa.int16(), "u": pa.uint16()}, "f4"),
        *(({"x": pa.float32(), "y": kind}, "f8") for kind in (pa.float64(), pa.int32(), pa.uint32(), pa.int64())),
        *(({"x": pa.float32(), "y": kind}, "f8") for kind in (pa.string(), pa.decimal128(30, 2))),
    ],
)
def test_parquet_is_read_in_single_precision_where_that_is_exact(tmp_path, columns, dtype):
    ones = {name: pa.array([1, 0]).cast(kind) for name, kind in columns.items()}
    rows = read_table(in_parquet(tmp_path / "rows.parquet", **ones))
    assert (rows.dtype, rows.tolist()) == (dtype, [[1] * len(columns), [0] * len(columns)])


@pytest.mark.parametrize("end", ["csv", "parquet"])
@pytest.mark.parametrize("numbers", [range(1_700_000_000, 1_700_000_060), range(20230101, 20230129)])
def test_large_numbers_that_differ_little_stay_apart(tmp_path, end, numbers):
    """Seconds since 1970, and dates: float32 makes one number of the seconds, and 15 of 28 days."""
    path = tmp_path / f"rows.{end}"
    written(path, [["t"], *([t] for t in numbers)]) if end == "csv" else in_parquet(path, t=list(numbers))
    rows = read_table(str(path))
    assert rows[:, 0].tolist() == list(numbers)
    scaled = learnt_scaling("min_max", rows).of(rows, torch.float32)[:]
    assert scaled[:, 0] == pytest.approx(np.linspace(0, 1, len(numbers)))


def test_columns_are_chosen_and_dropped_by_their_names(table):
    found = read_data(table, Wanted(columns=("d", "a")))
    assert (found.columns, found.target) == (("d", "a"), None)
    assert np.array_equal(found.rows, ROWS[:, [3, 0]])
    found = read_data(table, Wanted(drop=("label", "c")))
    assert (found.columns, found.target) == (("a", "b b", "d"), None)
    assert np.array_equal(found.rows, ROWS[:, [0, 1, 3]])
    found = read_data(table, Wanted(target="c", columns=("b b",), drop=("gone",)))
    assert (found.columns, found.target.dtype) == (("b b",), np.float64)
    assert np.array_equal(found.target.astype(np.float32), ROWS[:, 2])


def test_a_table_larger_than_memory_is_a_map_of_a_temporary_file(table, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(orders, "MIXING_BYTES", 500)
    monkeypatch.setattr(arrow_tables, "_BLOCK_BYTES", 700)
    monkeypatch.setattr(arrow_tables, "_CELL_BYTES", 1)
    monkeypatch.setattr(arrow_tables, "_BLOCK_CELLS", 80)
    rows, columns, target = read_data(table, Wanted(target="label"))
    assert isinstance(rows, np.memmap)
    assert (np.array_equal(rows, ROWS), columns, target.tolist()) == (True, NAMES, LABELS)
    del rows
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_stack_learns_the_same_from_a_table_wherever_it_lies(table, monkeypatch):
    config = TrainingConfig(epochs=2, batch_size=30)
    monkeypatch.setattr(orders, "MIXING_BYTES", 500)
    rows = read_data(table, Wanted(drop=("label",))).rows
    stacks = [StackedAutoencoder([Plain(3, output="linear")], config) for _ in range(2)]
    same = ROWS.astype(rows.dtype)
    codes = [stack.fit(x, progress=False).encode(ROWS) for stack, x in zip(stacks, (same, rows), strict=True)]
    assert isinstance(rows, np.memmap)
    assert np.array_equal(*codes)


def test_the_numbers_are_those_of_genfromtxt(tmp_path):
    path = written(tmp_path / "rows.csv", [NAMES, *ROWS.tolist()])
    expected = np.genfromtxt(path, delimiter=",", skip_header=1)
    assert np.array_equal(read_table(path), expected)


def test_without_names_columns_are_numbered(tmp_path):
    np.savetxt(tmp_path / "rows.csv", ROWS, delimiter=",")
    found = read_data(str(tmp_path / "rows.csv"), Wanted(target="2"))
    assert found.columns == ("1", "3", "4")
    assert np.array_equal(found.rows, ROWS[:, [0, 2, 3]])
    assert np.array_equal(found.target.astype(np.float32), ROWS[:, 1])


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\n1,2\n3,4\n",
        b"a,b\r\n1,2\r\n3,4\r\n",
        b"a,b\n1,2\n3,4",
        b"\n\na,b\n\n1,2\n\n3,4\n\n",
        b'"a","b"\n"1","2"\n"3","4"\n',
        b" a , b\n 1,2 \n 3 , 4\n",
        b"a,b\n+1,2.\n3e0,.4E+1\n",
        b"a,b\nTrue,2\n3,4\n",
        b"\xef\xbb\xbfa;b\r\n1;2\r\n3;4\r\n",
    ],
)
def test_every_way_of_writing_numbers_is_read(tmp_path, content):
    (tmp_path / "rows.csv").write_bytes(content)
    found = read_data(str(tmp_path / "rows.csv"))
    assert (found.columns, found.rows.tolist()) == (("a", "b"), [[1, 2], [3, 4]])


def test_true_and_false_are_1_and_0(tmp_path):
    path = written(tmp_path / "rows.csv", [["x", "y"], ["True", "TRUE"], ["false", "False"]])
    assert read_table(path).tolist() == [[1, 1], [0, 0]]
    path = in_parquet(tmp_path / "rows.parquet", x=[True, False])
    assert read_table(path).tolist() == [[1], [0]]
    assert read_data(in_parquet(tmp_path / "y.parquet", x=[1, 2], y=[True, None]), Wanted("y")).target.tolist() == [
        "True",
        None,
    ]


def test_quoted_cells_may_hold_separators_lines_and_quotes(tmp_path):
    labels = ["a,b", 'say "x"', "two\nlines", "plain ", "ü"]
    path = written(tmp_path / "rows.csv", [["x", "the, label"], *enumerate(labels)])
    found = read_data(path, Wanted(target="the, label"))
    assert found.target.tolist() == [label.strip() for label in labels]
    assert found.rows[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_column_without_a_name_is_named_by_its_place(tmp_path):
    path = written(tmp_path / "rows.csv", [["x", ""], [0, 5], [1, 6]])
    assert read_data(path).columns == ("x", "column 2")
    assert read_table(path).tolist() == [[0, 5], [1, 6]]


FRAME = pd.DataFrame(np.arange(12).reshape(4, 3) / 4)


@pytest.mark.parametrize("frame", [FRAME, FRAME.rename(columns=lambda number: number + 1)])
def test_columns_that_are_counted_are_names(tmp_path, frame):
    """As pandas writes an array; numbers of another kind are a row."""
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = read_data(str(tmp_path / "rows.csv"))
    assert found.columns == tuple(map(str, frame.columns))
    assert np.array_equal(found.rows, frame)
    for first in ("0.0,1.0,2.0", "0,1,3", "2,1,0"):
        (tmp_path / "rows.csv").write_text(f"{first}\n3,4,5\n")
        assert read_data(str(tmp_path / "rows.csv")).columns == ("1", "2", "3")
        assert len(read_table(str(tmp_path / "rows.csv"))) == 2
    (tmp_path / "rows.csv").write_text("0\n1\n")
    assert read_table(str(tmp_path / "rows.csv")).tolist() == [[0], [1]]


def test_the_index_of_a_frame_is_read_with_a_warning_or_dropped(tmp_path):
    path = tmp_path / "rows.csv"
    FRAME.to_csv(path)
    told = (
        "expected columns that tell something of the rows, received 'column 1', without a name, which counts them; "
    )
    with pytest.warns(StackedWarning, match=f"{path}: {told}--drop 'column 1' leaves it out"):
        assert read_data(str(path)).columns == ("column 1", "0", "1", "2")
    found = read_data(str(path), Wanted(drop=("column 1",)))
    assert (found.columns, np.array_equal(found.rows, FRAME)) == (("0", "1", "2"), True)
    FRAME[::-2].to_csv(path)
    assert read_data(str(path)).columns == ("column 1", "0", "1", "2")


def test_a_first_row_may_lack_values(tmp_path):
    (tmp_path / "rows.csv").write_text("1.5,2.5,\n2.5,3.5,a\n4,5,NA\n")
    found = read_data(str(tmp_path / "rows.csv"), Wanted("3"))
    assert (found.columns, found.rows.tolist()) == (("1", "2"), [[1.5, 2.5], [2.5, 3.5], [4, 5]])
    assert found.target.tolist() == [None, "a", None]


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("ending", ["csv", "tsv.gz"])
def test_of_one_column_an_empty_line_is_an_empty_cell(tmp_path, end, ending):
    """But for those at the end, unless they have quotes, as Python's csv module writes them."""
    path = tmp_path / f"y.{ending}"
    for content, values in {
        'kind\na\n\nb\n""': ["a", None, "b", None],
        "\n\nkind\r\na\r\n\r\nb": ["a", None, "b"],
        '"two\n\nlines"\n\n\nb\n': [None, None, "b"],
    }.items():
        path.write_bytes(gzip.compress((content + end).encode()) if ending[-2:] == "gz" else (content + end).encode())
        assert read_values(Place(path, "text")).tolist() == values
    path = tmp_path / "rows.csv"
    path.write_text("x\n1\n\n3" + end, newline="")
    told = "FILE, line 3, column 'x': expected a number, received an empty cell; "
    assert refusal(str(path)) == told + "fill it in, or leave the column out with --drop 'x'"


def test_names_with_commas_and_decimal_commas_are_told_from_separators(tmp_path):
    (tmp_path / "rows.csv").write_text("weight, in kg, dry;size, in cm, wide\n1;2\n3;4\n")
    found = read_data(str(tmp_path / "rows.csv"))
    assert (found.columns, found.rows.tolist()) == (("weight, in kg, dry", "size, in cm, wide"), [[1, 2], [3, 4]])
    for names, line in (("", 1), ("x;y\n", 2)):
        (tmp_path / "rows.csv").write_text(f"{names}1,5;2,5\n3,5;4\n")
        assert re.search(
            rf"line {line}, column .*: expected a number, received '1,5'; write decimals with a point",
            refusal(str(tmp_path / "rows.csv")),
        )


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "", "NA", "2.5", "nan", "?"], [1, None, None, 2.5, None, None]),
        (["x", "", "NA", "2.5", " null", "Na"], ["x", None, None, "2.5", None, "Na"]),
        (["", "", "NA", "", "", ""], [None] * 6),
        (["007", "+1", " 2", "-3", "1e2", ".5"], [7, 1, 2, -3, 100, 0.5]),
        (["007", "", "7", "08", "7", "NA"], ["007", None, "7", "08", "7", None]),
        (["0", "1", "10", "1.0", "", "0"], [0, 1, 10, 1, None, 0]),
        (["012.5", "7", "1", "1", "1", "1"], [12.5, 7, 1, 1, 1, 1]),
        (["True", "False", "True", "", "True", "False"], ["True", "False", "True", None, "True", "False"]),
    ],
)
def test_what_a_target_lacks_is_told_from_what_it_says(tmp_path, cells, values):
    path = written(tmp_path / "rows.csv", [["x", "y"], *((1, cell) for cell in cells)])
    target = read_data(path, Wanted(target="y")).target
    if target.dtype == object:
        assert target.tolist() == values
    else:
        assert np.array_equal(target, np.array(values, float), equal_nan=True)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array([1, None, 3]), [1, None, 3]),
        (pa.array([2**60, 1, 2]), [2**60, 1, 2]),
        (pa.array([1.5, None, float("nan")]), [1.5, None, None]),
        (pa.array(["a", None, "a"]), ["a", None, "a"]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array(["1", None, "2"], pa.large_string()), [1, None, 2]),
        (pa.array([1, 2, 3], pa.decimal128(5, 2)), [1, 2, 3]),
    ],
    ids=str,
)
def test_targets_of_every_type_of_parquet_are_read(tmp_path, column, values):
    target = read_data(in_parquet(tmp_path / "rows.parquet", x=[1, 2, 3], y=column), Wanted(target="y")).target
    if target.dtype == object:
        assert target.tolist() == values
    else:
        assert np.array_equal(target, np.array(values, float), equal_nan=True)


@pytest.mark.parametrize("kind", ["u1", "i8", "f2", "f4", "f8"])
def test_inputs_of_every_number_of_parquet_are_read(tmp_path, kind):
    values = np.array([0, 1, 100], kind)
    path = in_parquet(tmp_path / "rows.parquet", x=values, y=pa.array(["1", "2.5", "+3"]))
    assert read_table(path).tolist() == [[0, 1], [1, 2.5], [100, 3]]


@pytest.mark.parametrize("name", ["y.npy", "y.csv", "ys.csv:kind", "y.parquet", "y.tsv.gz"])
def test_the_target_may_lie_in_another_file(table, tmp_path, name):
    np.save(tmp_path / "y.npy", LABELS)
    written(tmp_path / "y.csv", [["kind"], *zip(LABELS, strict=True)])
    written(tmp_path / "y.tsv.gz", [["kind"], *zip(LABELS, strict=True)])
    written(tmp_path / "ys.csv", [["number", "kind"], *enumerate(LABELS)])
    in_parquet(tmp_path / "y.parquet", kind=LABELS)
    found = read_data(table, Wanted(target=str(tmp_path / name), drop=("label",)))
    assert (found.columns, found.target.tolist()) == (NAMES, LABELS)
    assert np.array_equal(found.rows, ROWS)


CELLS = st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-(10**9), 10**9))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1)),
    separator=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_any_numbers_come_back_as_python_reads_them(tmp_path, rows, separator, end, quoting):
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=quoting)
        writer.writerows([[f"x{place}" for place in range(len(rows[0]))], *rows])
    with (tmp_path / "rows.csv").open(newline="") as file:
        expected = [[float(cell) for cell in row] for row in list(csv.reader(file, delimiter=separator))[1:]]
    assert read_table(str(tmp_path / "rows.csv")).tolist() == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.text('ab,;\t"\n\r1 2.-\0é', max_size=40))
def test_any_text_is_read_or_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "rows.csv").write_text(content, newline="")
    try:
        found = read_data(str(tmp_path / "rows.csv"))
        assert isinstance(found, Data)
        assert found.rows.shape[1] == len(found.columns)
    except StackedError as error:
        assert re.match(f"{re.escape(str(tmp_path))}/rows.csv.*; [^\n]*$", str(error))  # noqa: PT017


def refusal(path, **wanted):
    with pytest.raises(StackedError) as caught:
        read_data(path, Wanted(**wanted))
    return str(caught.value).replace(path, "FILE")


def test_a_mistake_far_down_is_named_with_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow_tables, "_BLOCK_BYTES", 1000)
    lines = [["x", "name"], *([number, "two\nlines"] for number in range(500))]
    lines[400][0] = "oops"
    remedy = "fix it, take it for the labels with --labels 'x', or leave the column out with --drop 'x'"
    told = f"FILE, line 800, column 'x': expected a number, received 'oops'; {remedy}"
    assert refusal(written(tmp_path / "rows.csv", lines), target="name") == told
    lines[400] = [1]
    told = "FILE, line 800: expected 2 cells, as in the first line, received 1; write as many in every line"
    assert refusal(written(tmp_path / "rows.csv", lines), target="name") == told


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    for content in (
        b"a,b\n1,\xfc\n",
        b"\xfc,b\n1,2\n",
        *("a,b\n1,2\n".encode(f"utf-16{end}") for end in ("", "-le")),
    ):
        (tmp_path / "rows.csv").write_bytes(content)
        told = refusal(str(tmp_path / "rows.csv"))
        assert told.startswith("FILE: expected a table of separated values, but its text is not UTF-8 (")
        assert told.endswith("); save it in UTF-8")


@pytest.mark.parametrize("length", [0, 5, 30, -9, -1])
def test_a_truncated_gzip_file_is_refused(tmp_path, length):
    path = written(tmp_path / "rows.csv.gz", with_labels())
    (tmp_path / "rows.csv.gz").write_bytes((tmp_path / "rows.csv.gz").read_bytes()[:length])
    assert refusal(path, target="label").startswith("FILE: expected ")


def test_a_damaged_parquet_file_gives_rows_or_one_sentence(tmp_path):
    path = in_parquet(tmp_path / "rows.parquet", **dict(zip(NAMES, ROWS.T, strict=True)))
    whole, chance = (tmp_path / "rows.parquet").read_bytes(), np.random.default_rng(0)
    for length in chance.integers(0, len(whole), 30):
        (tmp_path / "rows.parquet").write_bytes(whole[:length])
        assert refusal(path).startswith("FILE: expected a Parquet file, received what does not read as one (")


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from stacked import StackedError
from stacked.tables import read_table
try:
    read_table(sys.argv[2])
except StackedError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("library", "name", "use", "extra"),
    [("pyarrow", "rows.csv", "tables of text and Parquet", "tables"), ("PIL", ".", "images", "images")],
)
def test_a_library_that_is_missing_is_named(tmp_path, library, name, use, extra):
    (tmp_path / "a.png").write_bytes(b"an image")
    command = [sys.executable, "-c", WITHOUT, library, str(tmp_path / name)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = f"{use}: expected the package {library}, received an installation without it; "
    assert told.stdout == f'{expected}run pip install "stacked[{extra}]"\n'
