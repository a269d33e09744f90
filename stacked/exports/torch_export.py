"""A file for `torch.export.load`, of a graph that takes any number of rows in the dtype of the model."""

import io
from typing import BinaryIO

import torch

from stacked.exports.checked import Format, Runner
from stacked.exports.subject import Subject
from stacked.rows import Array


def _content_of(subject: Subject) -> bytes:
    """The file."""
    two_rows = torch.from_numpy(subject.sample()[:1]).expand(2, -1).clone()  # of one row the graph would keep the 1
    any_number = ({0: torch.export.Dim("n")},)
    content = io.BytesIO()
    torch.export.save(torch.export.export(subject.network, (two_rows,), dynamic_shapes=any_number), content)
    return content.getvalue()


def _opened(file: BinaryIO) -> Runner:
    """What the file computes."""
    network = torch.export.load(file).module()

    @torch.no_grad()
    def run(rows: Array) -> Array:
        codes: Array = network(torch.from_numpy(rows)).numpy()
        return codes

    return run


TORCH_EXPORT = Format(".pt2", _content_of, _opened)
