"""A file for ONNX Runtime and whatever else reads ONNX, in one piece.

The graph is written operator by operator, for it has but a few kinds: that takes the package onnx alone and no time,
where `torch.onnx.export` takes two packages more and seconds. Opset 17 has all that is needed and came in 2022, so
that runtimes of these years read it.
"""

from typing import BinaryIO

from stacked.errors import mismatch
from stacked.exports.checked import Format, Runner
from stacked.exports.onnx_graph import Graph
from stacked.exports.subject import Subject
from stacked.extras import needing
from stacked.rows import Array

OPSET, FILE_VERSION = 17, 8
MOST_BYTES = 2**31 - 2**20
"""Of weights, for the whole is to be less than 2 GiB."""


def _content_of(subject: Subject) -> bytes:
    """The file: input "rows", output "codes" or "outputs", in the dtypes of the subject, of any number of rows.

    Raises
    ------
    StackedError
        When the model is too large for it, or the package onnx is missing.
    """
    with needing("format onnx", "onnx"):
        from onnx import checker, helper, numpy_helper  # noqa: PLC0415 - an optional package
    built = Graph(subject)
    _check_size(sum(value.nbytes for value in built.constants.values()))
    kinds = [helper.np_dtype_to_tensor_dtype(dtype) for dtype in (subject.dtype, subject.result_dtype)]
    graph = helper.make_graph(
        [helper.make_node(one.operator, one.inputs, one.outputs, **one.attributes) for one in built.nodes],
        subject.result,
        [helper.make_tensor_value_info("rows", kinds[0], ["n", subject.n_inputs])],
        [helper.make_tensor_value_info(subject.result, kinds[1], ["n", subject.width])],
        [numpy_helper.from_array(value, name) for name, value in built.constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=FILE_VERSION, producer_name="stacked")
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _opened(file: BinaryIO) -> Runner:
    """What the file computes."""
    with needing("format onnx", "onnx"):
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - an optional package
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.read(), options, providers=["CPUExecutionProvider"])

    def run(rows: Array) -> Array:
        codes: Array = session.run(None, {"rows": rows})[0]
        return codes

    return run


def _check_size(n_bytes: int) -> None:
    if n_bytes > MOST_BYTES:
        expected, remedy = "less than 2 GiB for ONNX", "take the format torch-export"
        raise mismatch("the weights", expected=expected, received=f"{n_bytes:,} bytes", remedy=remedy)


ONNX = Format(".onnx", _content_of, _opened)
