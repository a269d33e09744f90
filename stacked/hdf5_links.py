"""Finding a dataset in an HDF5 file by hand, link by link, so that no link leads out of the file.

HDF5 itself would follow an external link to any file that can be opened, without a word.
"""

from itertools import islice

import h5py

from stacked.errors import StackedError, mismatch

_MOST_HOPS = 32
_MOST_NAMES = 8
_NUMBERS = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)  # h5py keeps True and False as an enumeration


def find_dataset(file: h5py.File, path: str) -> h5py.Dataset:
    """The dataset of this path in the file.

    Raises
    ------
    StackedError
        When there is none, or the way leads out of the file or through too many soft links.
    """
    found = _follow(file, path)
    if not isinstance(found, h5py.Dataset):
        received = f"a group that holds {_names(found)}" if isinstance(found, h5py.Group) else type(found).__name__
        remedy = "name a dataset, with the groups above it, such as 'group/dataset'"
        raise mismatch(_subject(file, path), expected="a dataset", received=received, remedy=remedy)
    return found


def find_table(file: h5py.File, rank: int = 2) -> str:
    """The path of the only table of numbers in the file, reached by no link to elsewhere; of rank 1, the only column.

    Raises
    ------
    StackedError
        When there is none, or more than one.
    """
    paths: list[str] = []
    kinds = _NUMBERS if rank == 2 else (*_NUMBERS, h5py.h5t.STRING)

    def note(path: str, thing: object) -> bool | None:
        if isinstance(thing, h5py.Dataset) and thing.id.rank == rank and thing.id.get_type().get_class() in kinds:
            paths.append(path)
        return True if len(paths) > _MOST_NAMES else None  # None goes on

    file.visititems(note)
    if len(paths) != 1:
        expected = "one table of numbers" if rank == 2 else "one dataset with one value a row"
        received, remedy = _listed(paths), "name a dataset, with the groups above it"
        raise mismatch(file.filename, expected=expected, received=received, remedy=remedy)
    return paths[0]


def _follow(file: h5py.File, path: str) -> object:
    found, steps, hops = file["/"], _steps(path.encode()), 0
    while steps:
        step = steps.pop(0)
        target = _target(file, path, found, step)
        if target is None:
            found = h5py.Group(found.id)[step]
            continue
        hops += 1
        if hops > _MOST_HOPS:
            raise StackedError(f"{_subject(file, path)}: its soft links lead in a circle; name the dataset itself")
        found, steps = (file["/"] if target.startswith(b"/") else found), _steps(target) + steps
    return found


def _target(file: h5py.File, path: str, group: object, step: bytes) -> bytes | None:
    """Where a soft link in a group points to; None for a hard link, which is the thing itself."""
    if not isinstance(group, h5py.Group) or not group.id.links.exists(step):
        held = f"a group that holds {_names(group)}" if isinstance(group, h5py.Group) else "a dataset, not a group"
        received = f"{held}, where the path goes on to {step.decode(errors='replace')!r}"
        remedy = "check the names of the groups and the dataset"
        raise mismatch(_subject(file, path), expected="a path in the file", received=received, remedy=remedy)
    kind = group.id.links.get_info(step).type
    if kind == h5py.h5l.TYPE_HARD:
        return None
    if kind == h5py.h5l.TYPE_SOFT:
        target: bytes = group.id.links.get_val(step)
        return target
    where = group.id.links.get_val(step)[0].decode(errors="replace") if kind == h5py.h5l.TYPE_EXTERNAL else "unknown"
    received, remedy = f"a link to another file ({where})", "open that file, if you trust it, or pass trusted=True"
    raise mismatch(_subject(file, path), expected="a dataset in the file itself", received=received, remedy=remedy)


def _steps(path: bytes) -> list[bytes]:
    return [step for step in path.split(b"/") if step not in (b"", b".")]


def _names(group: h5py.Group) -> str:
    """The first names in a group."""
    return _listed(list(islice(group, _MOST_NAMES + 1)))


def _listed(names: list[str]) -> str:
    shown = [repr(name) for name in names[:_MOST_NAMES]]
    return ", ".join(shown + ["..."] * (len(names) > _MOST_NAMES)) or "nothing"


def _subject(file: h5py.File, path: str) -> str:
    return f"{file.filename}, dataset {path!r}"
