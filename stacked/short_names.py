"""Names of arms, classes and columns as they fit beside a drawing."""

from collections import Counter
from collections.abc import Sequence


def short_names(names: Sequence[str], most: int) -> list[str]:
    """Different names in at most so many characters each, and still different.

    A long name is cut at its end. Where several would then read alike, the words with which all long names begin are
    left out, or else those with which the ones alike begin; and where they still do, they are numbered.
    """
    short = [_cut(name, most) for name in names]
    if True in _alike(short):
        short = _without_shared_words(names, short, most)
    return [
        _numbered(name, most, i) if is_alike else cut
        for i, (name, cut, is_alike) in enumerate(zip(names, short, _alike(short), strict=True), start=1)
    ]


def _alike(texts: Sequence[str]) -> list[bool]:
    """Which texts there are others like."""
    counts = Counter(texts)
    return [counts[text] > 1 for text in texts]


def _without_shared_words(names: Sequence[str], short: Sequence[str], most: int) -> list[str]:
    for chosen in ([len(name) > most for name in names], _alike(short)):
        start = _shared_words([name for name, is_chosen in zip(names, chosen, strict=True) if is_chosen])
        if start > 0:
            return [
                _cut("…" + name[min(start, len(name) - most + 1) :], most) if is_chosen else cut
                for name, cut, is_chosen in zip(names, short, chosen, strict=True)
            ]
    return list(short)


def _shared_words(names: Sequence[str]) -> int:
    """How many characters the words take with which all of these names begin."""
    n_alike = 0
    for letters in zip(*names, strict=False):
        if len(set(letters)) > 1:
            break
        n_alike += 1
    return names[0][:n_alike].rfind(" ") + 1


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def _numbered(name: str, most: int, number: int) -> str:
    return f"{_cut(name, most - 1 - len(str(number)))} {number}"
