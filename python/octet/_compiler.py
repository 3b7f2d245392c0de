"""From models of other formats to .octet files."""
from __future__ import annotations

import ctypes
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from ctypes import byref, c_size_t, c_void_p
from typing import Any

from . import _native
from ._errors import Error, Status
from ._native import CConvertReport

PathOrBytes = Any  # str, os.PathLike, bytes, bytearray, memoryview, numpy array


@dataclasses.dataclass(frozen=True)
class Converted:
    """What a conversion made. RAM figures are of a session on one thread."""

    file_bytes: int
    arena_bytes: int  # activations as planned
    bound_bytes: int  # the largest sum of live bytes, layer by layer
    total_bytes: int  # of a session, as ram_limit counts
    weight_traffic: float  # weight bytes read, relative to running layer by layer
    log: tuple[str, ...] = dataclasses.field(repr=False)  # what each pass did
    data: bytes | None = dataclasses.field(repr=False)  # the .octet file, if it was not written


def convert(source: PathOrBytes, output: str | os.PathLike[str] | None = None, *, target: str = "",
            optimize: str = "speed", ram_limit: int | str | None = None, row_input: bool = False,
            compress: str = "auto", rewrite: bool = True,
            shapes: Mapping[str, Sequence[int]] | None = None,
            input_layout: str = "nchw", output_layout: str = "nchw",
            labels: Sequence[str] | None = None,
            metadata: Mapping[str, str] | None = None) -> Converted:
    """Turns a model (a path, or its bytes) into an .octet file at `output`, or into bytes.

    `target`: the instruction set whose weight packs go into the file: "native", "x86-avx2", ...
    `optimize`: what the memory plan is for, "speed" or "ram".
    `ram_limit`: bytes that a session may take in all (a number, or text as "64K").
    `compress`: store weights that are mostly 0 in fewer bytes ("auto", "off", "on").
    `row_input`: the application hands the input image over row by row.
    `rewrite`: off keeps the source's operators one by one.
    `shapes`: of an ONNX model's inputs by name, where the model leaves sizes open.
    `input_layout`, `output_layout`: where an ONNX model's inputs and outputs have their channels;
    "nhwc" saves a transposition in each run.
    `labels`, `metadata`: names of the classes, and free text, for the file.

    The output file appears whole or not at all. Any bytes are safe to pass.
    """
    goals = {"speed": 0, "ram": 1}
    if optimize not in goals:
        raise Error(Status.INVALID_ARGUMENT, f'optimize: "{optimize}" is neither "speed" nor "ram"')
    ways = {"auto": 0, "off": 1, "on": 2}
    if compress not in ways:
        raise Error(Status.INVALID_ARGUMENT, f'compress: "{compress}" is not auto, off or on')
    for layout in (input_layout, output_layout):
        if layout not in ("nchw", "nhwc"):
            raise Error(Status.INVALID_ARGUMENT, f'layout "{layout}" is neither "nchw" nor "nhwc"')
    entries = dict(metadata or {})
    if labels is not None:
        entries["labels"] = "\n".join(labels)
    library = _native.compiler()
    options = _native.new(library.convert_options_create)
    try:
        library.convert_options_set_target(options, _native.text(target, "target"))
        library.convert_options_set_goal(options, goals[optimize])
        library.convert_options_set_ram_limit(options, _native.size(ram_limit, "ram_limit"))
        library.convert_options_set_compress(options, ways[compress])
        library.convert_options_set_row_fed_input(options, bool(row_input))
        library.convert_options_set_optimize(options, bool(rewrite))
        library.convert_options_set_channels_last(options, input_layout == "nhwc",
                                                  output_layout == "nhwc")
        for name, shape in (shapes or {}).items():
            sizes = [_native.count(size, "a size") for size in shape]
            if max(sizes, default=0) > 0x7fffffff:
                raise Error(Status.INVALID_ARGUMENT, f"shape {tuple(sizes)} is too large")
            library.convert_options_add_input_shape(
                options, _native.text(name, "a name"), (ctypes.c_int32 * len(sizes))(*sizes),
                len(sizes))
        if isinstance(source, (str, os.PathLike)):
            folder = os.path.dirname(_path(source)) or b"."
            library.convert_options_set_directory(options, folder)
        for key, value in entries.items():
            library.convert_options_add_metadata(options, _native.text(key, "a metadata key"),
                                                 _native.text(value, f'metadata "{key}"'))
        if output is not None and isinstance(source, (str, os.PathLike)):
            made = _native.new(library.convert_file, _path(source), _path(output), options)
        else:
            made = _native.new(library.convert, *_read(source), options)
    finally:
        library.convert_options_destroy(options)
    try:
        data = None
        if output is None or not isinstance(source, (str, os.PathLike)):
            address, size = c_void_p(), c_size_t()
            library.converted_data(made, byref(address), byref(size))
            data = ctypes.string_at(address, size.value)
        if data is not None and output is not None:
            _write_whole(output, data)
            data = None
        report = CConvertReport(struct_size=ctypes.sizeof(CConvertReport))
        library.converted_report(made, byref(report))
        log: list[str] = []
        while (line := library.converted_log(made, len(log))) is not None:
            log.append(line.decode("utf-8", "replace"))
        return Converted(report.file_bytes, report.arena_bytes, report.bound_bytes,
                         report.total_bytes, report.weight_traffic, tuple(log), data)
    finally:
        library.converted_destroy(made)


def convert_bytes(source: PathOrBytes) -> bytes:
    data = convert(source).data
    assert data is not None
    return data


def _path(path: str | os.PathLike[str]) -> bytes:
    name = os.fsencode(path)
    if b"\0" in name:
        raise Error(Status.INVALID_ARGUMENT, "a path has a null character in it")
    return name


class _Address:
    """A pointer argument that keeps what it points to."""

    def __init__(self, data: bytes) -> None:
        self._as_parameter_ = ctypes.cast(ctypes.c_char_p(data), c_void_p)
        self._data = data


def _read(source: PathOrBytes) -> tuple[Any, int]:
    """Address and size of a model's bytes, which are a copy of what others might change."""
    from ._model import flat_bytes
    if isinstance(source, (str, os.PathLike)):
        try:
            data = pathlib.Path(source).read_bytes()
        except (OSError, ValueError) as error:
            raise Error(Status.IO_ERROR, f"{os.fspath(source)}: {error}") from None
    else:
        data = bytes(flat_bytes(source, "a model"))
    return _Address(data), len(data)


def _write_whole(output: str | os.PathLike[str], data: bytes) -> None:
    """As octet_convert_file does: under another name first."""
    path = pathlib.Path(os.fsdecode(output))
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        try:
            part.write_bytes(data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise Error(Status.IO_ERROR, f"{path}: {error}") from None
