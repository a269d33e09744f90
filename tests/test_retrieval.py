"""Search by codes: what is found, what is kept, what a saved index gives back, and what is refused."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from stacked import (
    CodeIndex,
    Denoising,
    Plain,
    StackedAutoencoder,
    StackedError,
    TrainingConfig,
    index_files,
    load_index,
    load_stack,
    nearest,
    save,
)
from stacked.cache_entry import Codes, write_entry
from stacked.descriptions import write_description
from stacked.joined_rows import JoinedRows

CONFIG = TrainingConfig(1, 40)
UNITS = (7, 5)


def rows_of(n=130, seed=0):
    return np.random.default_rng(seed).random((n, 12), dtype=np.float32)


QUERIES = rows_of(20, seed=1)


def trained(seed=0, units=UNITS, **options):
    layers = [Denoising(units[0]), *(Plain(n) for n in units[1:])]
    return StackedAutoencoder(layers, CONFIG, seed=seed, **options).fit(rows_of(), progress=False)


@pytest.fixture(scope="module")
def stack():
    """A trained stack, not to be trained again."""
    return trained()


@pytest.fixture(scope="module")
def index(stack):
    """An index of 130 rows, not to be added to."""
    return CodeIndex(stack).add(rows_of())


@pytest.fixture(scope="module")
def original(index, tmp_path_factory):
    """The folder of the saved index."""
    return index.save(tmp_path_factory.mktemp("index"))


@pytest.fixture
def saved(original, tmp_path):
    """A copy of the folder, to be damaged."""
    return shutil.copytree(original, tmp_path / "index")


def same(found, expected):
    assert np.array_equal(found.numbers, expected.numbers)
    assert found.distances.tobytes() == expected.distances.tobytes()


def only(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def redescribe(folder, without=None, **changes):
    path = folder / "index.json"
    described = json.loads(path.read_text()) | changes
    fields = {name: value for name, value in described.items() if name not in ("format", "checksum", without)}
    write_description(path, described["format"], fields)


def refused(folder, why):
    """Refuse the index by one sentence that names the folder."""
    with pytest.raises(StackedError, match=why) as caught:
        load_index(folder)
    assert str(folder) in str(caught.value)


# Search


@pytest.mark.parametrize("depth", [None, 1, 2])
def test_the_nearest_are_those_of_the_codes(stack, depth):
    index = CodeIndex(stack, depth).add(rows_of())
    same(index.search(QUERIES, 9), nearest(stack.encode(rows_of(), depth), stack.encode(QUERIES, depth), 9))


def test_ten_neighbours_by_default(index):
    assert index.search(QUERIES).numbers.shape == (20, 10)


def test_all_layers_by_default(stack):
    assert CodeIndex(stack).depth == 2
    assert CodeIndex(stack, 1).depth == 1


@pytest.mark.parametrize("cuts", [[1, 2, 129], [50], [128]], ids=str)
def test_adding_in_pieces_numbers_the_rows_in_the_order_they_were_added(stack, cuts):
    pieces, codes = np.split(rows_of(), cuts), []
    index = CodeIndex(stack)
    for piece in pieces:
        assert index.add(piece) is index
        codes.append(stack.encode(piece))
    assert len(index) == 130
    assert np.array_equal(index.codes(np.arange(130)), np.concatenate(codes))
    same(index.search(QUERIES, 40), nearest(np.concatenate(codes), stack.encode(QUERIES), 40))


def test_adding_in_pieces_equals_adding_at_once():
    """Rows of small whole numbers, whose codes do not depend on the rows beside them."""
    stack = StackedAutoencoder([Plain(3, activation="relu", output="linear")], CONFIG).fit(rows_of(), progress=False)
    weight = stack.layers[0].encoder.weight.data
    weight.copy_((weight * 8).round())
    stack.layers[0].encoder.bias.data.zero_()
    rows = (rows_of(300) * 5).round()
    whole, pieces = CodeIndex(stack).add(rows), CodeIndex(stack)
    for piece in np.array_split(rows, 7):
        pieces.add(piece)
    same(pieces.search(rows[:50], 300), whole.search(rows[:50], 300))


def test_a_cache_keeps_the_codes_on_disk(tmp_path, index):
    stack = trained(cache=tmp_path)
    cached = CodeIndex(stack).add(rows_of()).add(rows_of())
    assert all(isinstance(table, np.memmap) for _, table in cached._codes._tables)
    assert stack.cache.reused > 0
    expected = index.search(QUERIES, 5)
    found = cached.search(QUERIES, 10)
    assert np.array_equal(found.numbers[:, ::2], expected.numbers)
    assert np.array_equal(found.numbers[:, 1::2], expected.numbers + 130)


def test_rows_in_hdf5(stack, index, tmp_path):
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        dataset = file.create_dataset("x", data=rows_of(), chunks=(7, 12), compression="gzip")
        found = CodeIndex(stack).add(dataset).search(dataset, 4)
    same(found, index.search(rows_of(), 4))


def test_codes_and_what_they_decode_to(stack, index):
    codes = stack.encode(rows_of())
    numbers = index.search(QUERIES, 3).numbers
    for chosen in (numbers, numbers[0], numbers[0, 0], 5, [3, 3, 129], np.array([[[0]]], "u1")):
        assert np.array_equal(index.codes(chosen), codes[np.asarray(chosen)])
        assert index.decode(chosen).shape == (*np.shape(chosen), 12)
        assert np.allclose(index.decode(chosen), stack.decode(codes)[np.asarray(chosen)], atol=1e-6)


def test_codes_of_a_lower_layer_decode_from_there(stack):
    index = CodeIndex(stack, 1).add(rows_of())
    assert index.codes([4]).shape == (1, 7)
    assert np.allclose(index.decode([4, 2]), stack.reconstruct(rows_of(), 1)[[4, 2]], atol=1e-6)


def test_codes_of_no_rows(index):
    assert index.codes(np.empty((0, 3), int)).shape == (0, 3, 5)
    with pytest.raises(StackedError, match="at least one row"):
        index.decode(np.empty((0, 3), int))


def test_what_is_given_away_does_not_lead_back_into_the_index(index):
    before = index.codes(7).copy()
    index.codes([7])[:] = 0
    assert np.array_equal(index.codes(7), before)


# Several tables as one


def test_joined_rows_are_the_tables_one_after_the_other():
    tables = [rows_of(n, seed=n) for n in (3, 1, 6)]
    joined, whole = JoinedRows(12, np.dtype("f4")), np.concatenate(tables)
    assert joined.shape == (0, 12)
    for table in tables:
        joined.append(table)
    assert joined.shape == (10, 12)
    for start in range(11):
        for stop in range(start, 14):
            assert np.array_equal(joined[start:stop], whole[start:stop])
    assert np.array_equal(joined[:], whole)
    assert np.array_equal(joined.take(np.array([[9, 0], [3, 3]])), whole[[[9, 0], [3, 3]]])


# What is refused


def test_only_a_trained_stack_makes_an_index(stack):
    with pytest.raises(StackedError, match=r"^the stack: expected a trained one, .* call fit\(x\) first"):
        CodeIndex(StackedAutoencoder([Plain(3)]))
    with pytest.raises(StackedError, match=r"^stack: expected a StackedAutoencoder, received Dense"):
        CodeIndex(stack.layers[0].encoder)


@pytest.mark.parametrize("depth", [0, 3, True, 1.0])
def test_only_layers_that_there_are(stack, depth):
    with pytest.raises(StackedError, match=r"^depth: expected"):
        CodeIndex(stack, depth)


@pytest.mark.parametrize(
    "use",
    [
        lambda index, folder: index.search(QUERIES, 1),
        lambda index, folder: index.codes([0]),
        lambda index, folder: index.decode([0]),
        lambda index, folder: index.save(folder),
    ],
)
def test_an_empty_index_has_nothing_to_give(stack, tmp_path, use):
    with pytest.raises(StackedError, match=r"^the index: expected at least one row, .*; call add\(x\) first$"):
        use(CodeIndex(stack), tmp_path / "index")
    assert names(tmp_path) == []


@pytest.mark.parametrize("k", [0, -1, 131, 2.0, True, None])
def test_a_k_that_does_not_fit(index, k):
    with pytest.raises(StackedError, match=f"^k: expected .*, received {k}"):
        index.search(QUERIES, k)


BAD_ROWS = {
    "narrow": (QUERIES[:, :11], "^x: expected 12 columns, received 11"),
    "nan": (np.where(np.eye(20, 12), np.nan, QUERIES), "^x: expected finite numbers, received nan in row 0"),
    "one": (QUERIES[0], r"^x: expected a table of shape \(n, n_inputs\)"),
    "none": (QUERIES[:0], "^x: expected at least one row"),
    "text": ([["a"] * 12], "^x: expected numbers"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_rows_that_do_not_suit_the_stack(stack, case):
    index, (rows, why) = CodeIndex(stack).add(rows_of()), BAD_ROWS[case]
    for use in (index.add, index.search):
        with pytest.raises(StackedError, match=why):
            use(rows)
    assert len(index) == 130


def test_rows_whose_codes_are_not_finite():
    stack = StackedAutoencoder([Plain(3, activation="relu", output="linear")], CONFIG).fit(rows_of(), progress=False)
    stack.layers[0].encoder.weight.data.fill_(100.0)
    index = CodeIndex(stack).add(rows_of())
    for use in (index.add, index.search):
        with pytest.raises(StackedError, match=r"^codes of x: expected finite numbers, received inf in row 0"):
            use(np.full((2, 12), 1e38))
    assert len(index) == 130


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        (130, "rows from 0 to 129, received 130"),
        ([[3], [-1]], "rows from 0 to 129, received -1"),
        (np.array([2**64 - 1], "u8"), "rows from 0 to 129, received 18446744073709551615"),
        ([0.0], "whole numbers, received dtype float64"),
        ([True], "whole numbers, received dtype bool"),
        ([[1], [1, 2]], "whole numbers, received list that does not convert"),
    ],
    ids=str,
)
def test_numbers_that_are_none_of_the_rows(index, numbers, why):
    for use in (index.codes, index.decode):
        with pytest.raises(StackedError, match=f"^numbers: expected {why}"):
            use(numbers)


def test_a_stack_that_was_trained_again_no_longer_fits(tmp_path):
    stack = trained()
    index = CodeIndex(stack).add(rows_of())
    stack.fit(rows_of(), progress=False)  # the same weights again
    index.add(rows_of())
    stack.fit(rows_of()[::-1], progress=False)
    uses = [lambda: index.add(rows_of()), lambda: index.search(QUERIES), lambda: index.decode([0])]
    for use in (*uses, lambda: index.save(tmp_path / "index")):
        with pytest.raises(StackedError, match=r"^the stack: expected the weights it had when .* a new CodeIndex"):
            use()
    assert len(index) == 260
    assert names(tmp_path) == []


# Saved and loaded


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("depth", [1, 2])
def test_a_loaded_index_gives_the_same_bits(tmp_path, depth, dtype):
    index = CodeIndex(trained(dtype=dtype), depth).add(rows_of(50)).add(rows_of(80, 3))
    assert index.save(str(tmp_path)) == tmp_path
    loaded = load_index(str(tmp_path), device="cpu")
    assert (len(loaded), loaded.depth) == (130, depth)
    same(loaded.search(QUERIES, 130), index.search(QUERIES, 130))
    assert loaded.decode([7, 120]).tobytes() == index.decode([7, 120]).tobytes()
    assert [type(table) for _, table in loaded._codes._tables] == [np.memmap]


def test_the_codes_are_a_file_that_h5py_reads(original, index):
    with h5py.File(only(original, "codes-*.h5")) as file:
        assert np.array_equal(file["codes"][...], index.codes(np.arange(130)))


def test_the_stack_is_one_that_load_stack_reads(original, stack):
    loaded = load_stack(only(original, "stack-*"))
    assert loaded.encode(QUERIES).tobytes() == stack.encode(QUERIES).tobytes()


def test_a_loaded_index_can_be_added_to_and_saved_where_it_lies(saved, index):
    loaded = load_index(saved)
    loaded.save(saved)
    same(loaded.search(QUERIES), index.search(QUERIES))
    loaded.add(QUERIES).save(saved)
    again = load_index(saved)
    assert len(again) == 150
    same(again.search(QUERIES, 150), loaded.search(QUERIES, 150))
    assert len(names(saved)) == 3


def test_an_index_is_replaced_and_nothing_of_it_stays(saved):
    (saved / "stack-of-mine").mkdir()
    (saved / "codes-of-mine.h5").write_text("mine")
    other = CodeIndex(trained(seed=1, units=(4,))).add(rows_of(60))
    before = set(names(saved))
    other.save(saved)
    assert set(names(saved)) & before == {"index.json", "stack-of-mine", "codes-of-mine.h5"}
    assert len(names(saved)) == 5
    same(load_index(saved).search(QUERIES), other.search(QUERIES))


@pytest.mark.parametrize("step", ["save", "_write_codes", "write_entry", "write_description"])
def test_a_save_that_is_cut_short_leaves_the_old_index(saved, index, monkeypatch, step):
    def fail(*arguments):
        raise OSError("cut short")

    other = CodeIndex(trained(seed=1)).add(rows_of(60))
    monkeypatch.setattr(index_files, step, fail)
    with pytest.raises((StackedError, OSError), match="cut short"):
        other.save(saved)
    same(load_index(saved).search(QUERIES), index.search(QUERIES))
    assert list(saved.glob(".*")) == []


@pytest.mark.parametrize("part", ["decoder", "upper layer", "settings"])
def test_with_the_same_encoders_too_a_save_that_is_cut_short_leaves_the_old_index(tmp_path, monkeypatch, part):
    stack = trained()
    folder = CodeIndex(stack, 1).add(rows_of()).save(tmp_path)
    rows, upper = load_index(folder).decode([3]), stack.encode(QUERIES)
    if part == "settings":
        stack.training = (CONFIG, TrainingConfig(2, 40))
    else:
        layer = stack.layers[0].decoder if part == "decoder" else stack.layers[1].encoder
        layer.bias.data.add_(1)
    monkeypatch.setattr(index_files, "write_description", None)
    with pytest.raises(TypeError):
        CodeIndex(stack, 1).add(rows_of()).save(folder)
    loaded = load_index(folder)
    assert loaded.decode([3]).tobytes() == rows.tobytes()
    assert loaded.stack.encode(QUERIES).tobytes() == upper.tobytes()
    assert loaded.stack.training == (CONFIG, CONFIG)


def test_a_folder_that_cannot_be_written(index, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StackedError, match="cannot be written"):
        index.save(tmp_path / "file")


# Damage


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def replaced_codes(folder, codes):
    """Put an entry that is whole, but of other codes, in the place of the codes."""
    path = only(folder, "codes-*.h5")
    write_entry(path, codes, lambda out: out.fill(1))


def key_of(folder):
    return json.loads((folder / "index.json").read_text())["codes"]


DAMAGE = {
    "no folder": (shutil.rmtree, "expected a saved index, but it cannot be read: No such file"),
    "no index.json": (lambda f: (f / "index.json").unlink(), "expected a saved index, but it cannot be read"),
    "index.json cut": (lambda f: cut(f / "index.json"), "expected a saved index, but it is not whole"),
    "index.json deep": (lambda f: (f / "index.json").write_text("[" * 100_000), "it is not whole"),
    "index.json foreign": (lambda f: (f / "index.json").write_text("[1]"), "expected a saved index, received JSON"),
    "format": (lambda f: redescribe(f, format=2), "expected a saved index of format 3, received 2"),
    "a field": (lambda f: redescribe(f, without="n_rows"), r"received unknown \[\] and missing \['n_rows'\]"),
    "depth": (lambda f: redescribe(f, depth=1), "expected the stack that made the codes .* received another"),
    "depth beyond": (lambda f: redescribe(f, depth=3), "the index in it cannot be used: depth: expected at most 2"),
    "depth text": (lambda f: redescribe(f, depth="2"), "depth: expected a whole number"),
    "rows": (lambda f: redescribe(f, n_rows=129), "its header describes other codes"),
    "rows text": (lambda f: redescribe(f, n_rows=[130]), "n_rows: expected a whole number"),
    "encoders": (lambda f: redescribe(f, encoders=None), "expected the stack that made the codes"),
    "stack": (lambda f: redescribe(f, stack=None), "expected a saved model, but it cannot be read"),
    "key": (lambda f: redescribe(f, codes="0" * 64), "there is no such file"),
    "key of a list": (lambda f: redescribe(f, codes=[1]), "there is no such file"),
    "key with a null": (lambda f: redescribe(f, codes="\0"), "the codes of the index, but"),
    "no codes": (lambda f: only(f, "codes-*").unlink(), "there is no such file"),
    "codes flipped": (lambda f: flip(only(f, "codes-*"), -1), "its values do not match their checksum"),
    "codes cut": (lambda f: cut(only(f, "codes-*")), "it is truncated"),
    "codes emptied": (lambda f: only(f, "codes-*").write_bytes(b""), "was not written by stacked"),
    "codes foreign": (lambda f: flip(only(f, "codes-*"), 0), "was not written by stacked"),
    "codes header": (lambda f: flip(only(f, "codes-*"), 30), "the codes of the index, but"),
    "codes of others": (
        lambda f: replaced_codes(f, Codes("other", (130, 5), np.dtype("f4"))),
        "its header describes other codes",
    ),
    "codes too wide": (
        lambda f: replaced_codes(f, Codes(key_of(f), (130, 6), np.dtype("f4"))),
        "its header describes other codes",
    ),
    "no stack": (lambda f: shutil.rmtree(only(f, "stack-*")), "expected a saved model, but it cannot be read"),
    "weights flipped": (lambda f: flip(only(f, "stack-*/*.safetensors"), -1), "its SHA-256 is not the one"),
    "another stack": (
        lambda f: save(trained(seed=1), only(f, "stack-*")),
        "expected the stack that made the codes .* received another",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_not_whole_is_refused_in_one_sentence(saved, case):
    load_index(saved)
    damage, why = DAMAGE[case]
    damage(saved)
    refused(saved, why)


def test_a_codes_folder_in_place_of_the_file(saved):
    path = only(saved, "codes-*")
    path.unlink()
    path.mkdir()
    refused(saved, "it cannot be read .Is a directory")


def test_keys_from_a_stranger_lead_to_no_other_folder(saved, tmp_path):
    path = only(saved, "codes-*")
    path.rename(tmp_path / "x.h5")
    redescribe(saved, codes="/../../x")
    refused(saved, "there is no such file")


def test_the_folder_may_be_moved(saved, index, tmp_path):
    moved = Path(shutil.move(saved, tmp_path / "elsewhere"))
    same(load_index(moved).search(QUERIES), index.search(QUERIES))


# Saves at once, and killed ones

KILLED = """
import os, sys
import numpy as np
from stacked import CodeIndex, Plain, StackedAutoencoder, index_files, model_files

def die(*arguments):
    os.kill(os.getpid(), 9)

folder, module, step = sys.argv[1:]
index = CodeIndex(StackedAutoencoder([Plain(3)], seed=7).draw(12))
index.add(np.random.default_rng(3).random((40, 12)))
setattr(sys.modules[f"stacked.{module}"], step, die)
index.save(folder)
"""


@pytest.mark.parametrize(
    ("module", "step"),
    [
        ("model_files", "write_atomically"),
        ("files", "_flush_names"),
        ("index_files", "_write_codes"),
        ("cache_entry", "_describe"),
        ("index_files", "write_description"),
        ("index_files", "_remove_stale"),
    ],
)
def test_what_a_killed_save_leaves_is_no_hindrance_and_is_removed_by_the_next(saved, index, module, step):
    before = names(saved)
    killed = subprocess.run([sys.executable, "-c", KILLED, saved, module, step], check=False)
    assert killed.returncode == -9
    assert set(names(saved)) != set(before)
    if step == "_remove_stale":
        assert len(load_index(saved)) == 40
    else:
        same(load_index(saved).search(QUERIES), index.search(QUERIES))
    index.save(saved)
    assert names(saved) == before
    assert list(saved.rglob(".*")) == []
    same(load_index(saved).search(QUERIES), index.search(QUERIES))


def test_indexes_may_be_saved_to_one_folder_all_at_once(tmp_path):
    indexes = [CodeIndex(trained(seed=seed)).add(rows_of(30 + seed)) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda index: index.save(tmp_path), indexes * 5):
            pass
    loaded = load_index(tmp_path)
    same(loaded.search(QUERIES), indexes[len(loaded) - 30].search(QUERIES))
    assert len(names(tmp_path)) == 3
