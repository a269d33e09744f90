"""The bytes of a text without the empty lines at its end, for where a file has one column an empty line is a cell."""

import io
from typing import Any

_PIECE = 2**20


class WithoutLastLines(io.RawIOBase):
    """A file that is read up to its last byte that ends no line.

    Parameters
    ----------
    file : binary file
        Open; it stays so.
    """

    def __init__(self, file: Any) -> None:
        self._file, self._ready, self._held = file, b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        while not self._ready:
            piece = self._file.read(_PIECE)
            if not piece:
                return 0
            text = piece.rstrip(b"\r\n")
            if text:
                self._ready, self._held = self._held + text, b""
            self._held += piece[len(text) :]
        n = min(len(room), len(self._ready))
        room[:n], self._ready = self._ready[:n], self._ready[n:]
        return n
