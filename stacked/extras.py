"""Libraries that only some uses need: what to install where one is missing."""

import contextlib
from collections.abc import Iterator

from stacked.errors import mismatch


@contextlib.contextmanager
def needing(use: str, extra: str) -> Iterator[None]:
    """Say how to install what an import in here does not find.

    Parameters
    ----------
    use : str
        What the library is needed for.
    extra : str
        The optional part of this package that it belongs to.

    Raises
    ------
    StackedError
        In place of a ModuleNotFoundError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        expected, remedy = f"the package {error.name}", f'run pip install "stacked[{extra}]"'
        raise mismatch(use, expected=expected, received="an installation without it", remedy=remedy) from error
