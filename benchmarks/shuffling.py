"""How well a file sorted by label is mixed: how often two rows of one minibatch have the same label.

With equal classes it should be 1 / classes. What is more comes from neighbours: as an intraclass correlation, 0 for
rows drawn at random and 1 for minibatches of one label. Beside it stands what is expected by counting: of the rows of
k pieces that are shuffled together, two lie in the same piece with probability (piece - 1) / (k * piece - 1), and are
then of one label. Orders only, no rows are read. Command: python benchmarks/shuffling.py
"""

import json as text
from collections.abc import Iterable
from typing import Annotated

import numpy as np
import torch
import typer
from common import Json
from rich.console import Console
from rich.table import Table
from torch import Tensor

from stacked import orders
from stacked.orders import Order
from stacked.randomness import Seeded

BATCH, CLASSES, WIDTH = 100, 10, 784


def main(
    n_rows: Annotated[int, typer.Option("--rows", help="Rows of the file.")] = 1_913_265,
    buffer: Annotated[int, typer.Option(help="Bytes of the mixing buffer.")] = orders.MIXING_BYTES,
    epochs: Annotated[int, typer.Option(min=1, help="How many orders are drawn.")] = 3,
    json: Json = None,
) -> None:
    """Compare rows that are shuffled as a whole, mixed in a buffer, and taken as they stand."""
    numbers = torch.arange(n_rows)
    file = np.broadcast_to(np.float32(0), (n_rows, WIDTH))
    stream, found = Seeded(0).stream("shuffle"), {}
    for name, n_bytes in {"as a whole": 2**63, "in the buffer": buffer}.items():
        orders.MIXING_BYTES = n_bytes
        order = Order(file, numbers)
        drawn = np.mean([_share_of_equal(order.shuffled(stream), n_rows) for _ in range(epochs)])
        found[name] = float(drawn), _expected(order, n_rows)
    found["not at all"] = _share_of_equal([numbers], n_rows), 1.0
    title = f"{n_rows:,} rows sorted by label, a buffer of {buffer / 2**20:,.0f} MiB"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("shuffled", "of one label", "expected", "correlation", "expected"):
        table.add_column(column, justify="left" if column == "shuffled" else "right")
    for name, shares in found.items():
        figures = [f"{share:.4f}" for share in shares] + [f"{_correlation(share):.5f}" for share in shares]
        table.add_row(name, *figures)
    Console().print(table)
    if json is not None:
        sides = {name: {"of one label": share, "expected": expected} for name, (share, expected) in found.items()}
        json.write_text(text.dumps({"title": title, "sides": sides}, indent=1))


def _share_of_equal(portions: Iterable[Tensor], n_rows: int) -> float:
    """The share of pairs of rows in one minibatch, all of one size, that have the same label."""
    labels = torch.cat(list(portions)).numpy() * CLASSES // n_rows
    batches = labels[: n_rows // BATCH * BATCH].reshape(-1, BATCH)
    counts = np.stack([(batches == label).sum(axis=1) for label in range(CLASSES)])
    return float((counts * (counts - 1)).sum(axis=0).mean() / (BATCH * (BATCH - 1)))


def _expected(order: Order, n_rows: int) -> float:
    """The same by counting; classes are taken to be whole pieces, and minibatches to lie in one portion."""
    piece, pieces_together = (1, n_rows) if order.is_whole else (order.piece, order.half // order.piece)
    neighbours = (piece - 1) / (piece * pieces_together - 1)
    n_pieces = n_rows / piece
    return neighbours + (1 - neighbours) * (n_pieces / CLASSES - 1) / (n_pieces - 1)


def _correlation(share: float) -> float:
    return (share - 1 / CLASSES) / (1 - 1 / CLASSES)


if __name__ == "__main__":
    typer.run(main)
