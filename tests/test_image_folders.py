"""Folders of images as tables: the bytes of every image in order, and the folders as labels."""

import os
import tempfile

import numpy as np
import pytest
from PIL import Image

from stacked import StackedError, orders
from stacked.scaled_rows import ScaledRows
from stacked.tables import Wanted, read_data, read_table
from stacked.targets import as_target

RANDOM = np.random.default_rng(0)
GREY, COLOUR = RANDOM.integers(0, 256, (5, 4, 3), np.uint8), RANDOM.integers(0, 256, (5, 4, 3, 3), np.uint8)
EXACT = ["png", "bmp", "tif", "tiff"]


def write(folder, images, endings, **options):
    """Write images 0.png, 1.png, ... ."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{number}.{endings[number % len(endings)]}", **options)
    return folder


@pytest.mark.parametrize(("images", "endings"), [(GREY, [*EXACT, "pgm", "gif"]), (COLOUR, EXACT)])
def test_every_image_is_a_row_of_its_pixels(tmp_path, images, endings):
    found = read_data(str(write(tmp_path, images, endings)))
    assert isinstance(found.rows, ScaledRows)
    assert np.array_equal(found.rows, images.reshape(5, -1) / 255)
    assert (found.columns, found.target) == ((), None)


def test_a_jpeg_is_nearly_what_was_written(tmp_path):
    smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    write(tmp_path, [smooth], ["JPG"], quality=95)
    assert np.abs(read_table(str(tmp_path))[:] * 255 - smooth.reshape(1, -1)).max() < 6


def test_colours_of_a_palette_and_transparency_are_plain_colours(tmp_path):
    Image.fromarray(COLOUR[0]).convert("RGBA").save(tmp_path / "a.png")
    Image.fromarray(COLOUR[0] // 128 * 255).convert("P").save(tmp_path / "b.png")
    found = read_table(str(tmp_path))[:] * 255
    assert np.array_equal(found[0].round(), COLOUR[0].reshape(-1))
    assert np.array_equal(found[1].round(), (COLOUR[0] // 128 * 255).reshape(-1))


def test_black_and_white_is_grey(tmp_path):
    Image.fromarray(GREY[0] > 127).save(tmp_path / "a.png")
    assert np.array_equal(read_table(str(tmp_path))[:], (GREY[:1] > 127).reshape(1, -1))


def test_images_come_in_the_order_of_their_paths_and_folders_are_labels(tmp_path):
    for folder, number in {"b/2": 0, "a": 1, "b/1": 2}.items():
        write(tmp_path / folder, GREY[number : number + 1], ["png"])
    write(tmp_path, GREY[3:4], ["png"])
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "a" / ".hidden.png").write_text("none")
    write(tmp_path / ".hidden", GREY[3:4], ["png"])
    found = read_data(str(tmp_path), Wanted(target="folder"))
    assert np.array_equal(np.asarray(found.rows) * 255, GREY[[3, 1, 2, 0]].reshape(4, -1))
    assert found.target.tolist() == [None, "a", "b", "b"]
    assert as_target(found.target).values.tolist() == [-1, 0, 1, 1]


def test_a_folder_may_be_called_as_what_is_missing_elsewhere(tmp_path):
    for number, country in enumerate(("DE", "FR", "NA")):
        write(tmp_path / country, GREY[number : number + 1], ["png"])
    target = as_target(read_data(str(tmp_path), Wanted("folder")).target)
    assert (target.classes, target.values.tolist()) == (("DE", "FR", "NA"), [0, 1, 2])


def test_links_are_followed(tmp_path):
    write(tmp_path / "images" / "a", GREY[:1], ["png"])
    write(tmp_path / "elsewhere", GREY[1:3], ["png"])
    (tmp_path / "images" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images" / "a" / "1.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    found = read_data(str(tmp_path / "images"), Wanted("folder"))
    assert found.target.tolist() == ["a", "a", "b", "b"]
    assert np.array_equal(found.rows.stored, GREY[[0, 2, 1, 2]].reshape(4, -1))


@pytest.mark.parametrize(("name", "to"), [("a/b", "images"), ("c", "images/a"), ("a/b", "images/a")])
def test_a_folder_that_links_lead_to_again_is_refused(tmp_path, name, to):
    write(tmp_path / "images" / "a", GREY[:1], ["png"])
    (tmp_path / "images" / name).symlink_to(tmp_path / to)
    told = f"{tmp_path}/images/{name}: expected each folder once, received a link to one that was met before; remove"
    with pytest.raises(StackedError, match=told):
        read_table(str(tmp_path / "images"))


def test_a_link_to_nothing_and_a_folder_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    write(tmp_path / "a", GREY[:1], ["png"])
    (tmp_path / "b").symlink_to(tmp_path / "gone")
    told = f"{tmp_path}/b: expected a file or a folder, received a link to nothing; remove it"
    with pytest.raises(StackedError, match=told):
        read_table(str(tmp_path))
    (tmp_path / "b").unlink()
    (tmp_path / "b").mkdir()
    scan = os.scandir

    def refused(path):
        if str(path) == f"{tmp_path}/b":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    told = f"{tmp_path}/b: expected a folder that can be read, but: Permission denied; make it readable"
    with pytest.raises(StackedError, match=told):
        read_table(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "what"), [("model.json", "a saved model"), ("run.json", "a run"), ("results.json", "a comparison")]
)
@pytest.mark.parametrize("where", ["", "inner"])
def test_the_pictures_of_a_model_are_no_rows(tmp_path, name, what, where):
    write(tmp_path / where, GREY[:1], ["png"])
    (tmp_path / where / name).write_text("{}")
    told = f"expected a folder of images, received the folder of {what}; pass a table of rows"
    with pytest.raises(StackedError, match=f"{tmp_path / where}: {told}"):
        read_table(str(tmp_path))


def test_labels_of_images_may_lie_in_a_file(tmp_path):
    write(tmp_path / "images", GREY, ["png"])
    np.save(tmp_path / "labels.npy", np.arange(5))
    found = read_data(str(tmp_path / "images"), Wanted(target=str(tmp_path / "labels.npy")))
    assert found.target.tolist() == list(range(5))


def test_many_images_are_read_into_a_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr(orders, "MIXING_BYTES", 50)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    found = read_table(str(write(tmp_path / "images", GREY, ["png"])))
    assert isinstance(found.stored, np.memmap)
    assert np.array_equal(found.stored, GREY.reshape(5, -1))
    del found
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("other", "received"),
    [(COLOUR[0], "3 x 4 in colour"), (GREY[0].T, "4 x 3 in grey"), (GREY[0][:2], "3 x 2 in grey")],
)
def test_the_first_image_that_differs_is_named(tmp_path, other, received):
    write(tmp_path, [*GREY[:2], np.ascontiguousarray(other), GREY[3]], ["png"])
    told = f"2.png: expected 3 x 4 in grey, as in 0.png, received {received}; make all images of one size and kind"
    with pytest.raises(StackedError, match=told):
        read_table(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"mine", b"\x89PNG\r\n\x1a\n" + bytes(50), b"P5 99999 99999 255 "])
def test_what_is_no_image_is_named(tmp_path, content):
    write(tmp_path, GREY, ["png"])
    (tmp_path / "3.png").write_bytes(content)
    told = "3.png: expected an image, received what does not read as one .*; restore or remove it"
    with pytest.raises(StackedError, match=told):
        read_table(str(tmp_path))


def test_a_truncated_image_is_never_read_as_another(tmp_path):
    pixels, told = np.tile(GREY[0], (20, 20)), []
    whole = (write(tmp_path, [pixels], ["png"]) / "0.png").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "0.png").write_bytes(whole[:length])
        try:
            assert np.array_equal(read_table(str(tmp_path)).stored, pixels.reshape(1, -1))
        except StackedError as error:
            told.append(str(error))
    assert len(told) > len(whole) // 7 - 3  # the last few bytes are checksums
    assert all("0.png: expected an image, received" in message for message in told)


def test_more_than_8_bits_are_refused(tmp_path):
    Image.fromarray(GREY[0].astype(np.uint16) * 256).save(tmp_path / "a.png")
    with pytest.raises(StackedError, match=r"a\.png: expected 8 bits a channel, received mode I;16; convert it"):
        read_table(str(tmp_path))


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(StackedError, match=r"expected images \(\.png .*\), received none; name a folder of images"):
        read_table(str(tmp_path))


def test_the_remedy_for_another_name_of_labels_is_the_folders(tmp_path):
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    told = 'expected a file, or "folder", received \'class\'; name "folder" for the folders in which the images lie'
    with pytest.raises(StackedError, match=told):
        read_data(str(tmp_path), Wanted("class"))
