"""ONNX files from disk: checked before anything is read that they refer to.

An ONNX file may keep weights in other files, and names them. A name that leads elsewhere would make the program read,
and perhaps show, any file of the computer; so weights must lie in a plain file in the same folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..stream.base.errors import EngineError


def open_onnx(path: str | Path) -> Any:
    """The ``ModelProto`` of a file whose external weights, if any, may be read; they are not read yet.

    Raises EngineError for a file that is missing or damaged, and for weights with ``..``, an absolute path, a link, or
    a range that is not in their file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    path = Path(path)
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError) as error:
        raise EngineError(f"{path}: not an ONNX file that can be read: {error or 'damaged'}") from error
    if not model.opset_import:  # every ONNX file has one; any text of no length parses as well
        raise EngineError(f"{path}: not an ONNX file that can be read: it is empty")
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _check(path, tensor)
    return model


def _check(path: Path, tensor: Any) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    file = path.parent / location
    plain = len(PurePosixPath(location).parts) == len(PureWindowsPath(location).parts) == 1 and location != ".."
    if not plain or ":" in location or file.is_symlink() or not file.is_file():
        raise EngineError(
            f"{path}: the weight {tensor.name!r} lies in {location!r}, expected a plain file in the same folder; "
            f"it was not loaded"
        )
    try:
        start, length = int(entries.get("offset", "0")), int(entries.get("length", "0"))
    except ValueError as error:
        raise EngineError(f"{path}: the weight {tensor.name!r} has a damaged place: {entries}") from error
    if start < 0 or length < 0 or start + length > file.stat().st_size:
        raise EngineError(
            f"{path}: the weight {tensor.name!r} is at {start} + {length}, and {location} has {file.stat().st_size} "
            f"bytes; export it again"
        )


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor of a model, those in attributes, inner graphs and functions included."""
    graphs, nodes = [model.graph], [node for function in model.functions for node in function.node]
    while graphs or nodes:
        while nodes:
            for attribute in nodes.pop().attribute:
                yield attribute.t
                yield from attribute.tensors
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)
                graphs += [attribute.g, *attribute.graphs]
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes += graph.node
