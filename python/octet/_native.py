"""The C APIs as ctypes sees them: octet.h when the package is imported, compiler_c.h when needed.

ctypes releases the interpreter's lock during each call, so runs in several threads overlap.
"""
from __future__ import annotations

import ctypes
import functools
import os
import pathlib
import re
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_size_t,
    c_uint64,
    c_void_p,
)
from typing import Any

from ._errors import Error, Status

MAX_RANK = 6

# Set while developing: a build tree whose libraries and command are used instead of the package's.
_BUILD_DIR = os.environ.get("OCTET_BUILD_DIR")


def file_of_build(name: str, folder: str) -> pathlib.Path:
    """A native file, of the package or of the build tree."""
    if _BUILD_DIR:
        return pathlib.Path(_BUILD_DIR) / folder / name
    return pathlib.Path(__file__).resolve().parent / "native" / name


class CMemory(Structure):
    _fields_ = [(name, c_size_t) for name in
                ("struct_size", "model_bytes", "session_bytes", "arena_bytes", "total_bytes",
                 "mapped_bytes", "activation_bytes")]


class CTensorInfo(Structure):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("type", c_int), ("rank", c_int32),
                ("shape", c_int32 * MAX_RANK), ("bytes", c_size_t), ("scale", c_float),
                ("zero_point", c_int32), ("by_rows", c_int32)]


class CStepInfo(Structure):
    _fields_ = [("struct_size", c_size_t), ("op", c_char_p), ("name", c_char_p),
                ("kernel", c_char_p), ("macs", c_uint64), ("op_index", c_int32),
                ("row_begin", c_int32), ("row_end", c_int32), ("pack_bytes", c_size_t),
                ("pack_mapped", c_int32), ("scratch_bytes", c_size_t)]


class CConvertReport(Structure):
    _fields_ = [("struct_size", c_size_t), ("file_bytes", c_uint64), ("arena_bytes", c_uint64),
                ("bound_bytes", c_uint64), ("total_bytes", c_uint64), ("weight_traffic", c_double)]


RowSource = CFUNCTYPE(c_int, c_void_p, c_size_t, c_int32, c_void_p, c_size_t)

_Handle = c_void_p
_Out = POINTER(c_void_p)

# name: arguments, of functions that return a status
_RUNTIME: dict[str, list[Any]] = {
    "octet_model_options_create": [_Out],
    "octet_model_options_set_ram_limit": [_Handle, c_size_t],
    "octet_model_options_set_isa": [_Handle, c_char_p],
    "octet_model_load_file": [c_char_p, _Handle, _Out],
    "octet_model_load_buffer": [c_void_p, c_size_t, _Handle, _Out],
    "octet_model_input_info": [_Handle, c_size_t, POINTER(CTensorInfo)],
    "octet_model_output_info": [_Handle, c_size_t, POINTER(CTensorInfo)],
    "octet_model_step_info": [_Handle, c_size_t, POINTER(CStepInfo)],
    "octet_session_options_create": [_Out],
    "octet_session_options_set_ram_limit": [_Handle, c_size_t],
    "octet_session_options_set_threads": [_Handle, c_size_t],
    "octet_session_options_set_profiling": [_Handle, c_int],
    "octet_session_memory": [_Handle, _Handle, POINTER(CMemory)],
    "octet_session_create": [_Handle, _Handle, _Out],
    "octet_session_set_input": [_Handle, c_size_t, c_void_p, c_size_t],
    "octet_session_input_data": [_Handle, c_size_t, _Out, POINTER(c_size_t)],
    "octet_session_set_row_source": [_Handle, RowSource, c_void_p],
    "octet_session_run": [_Handle],
    "octet_session_get_output": [_Handle, c_size_t, c_void_p, c_size_t],
    "octet_session_output_data": [_Handle, c_size_t, _Out, POINTER(c_size_t)],
    "octet_session_reset_state": [_Handle],
    "octet_session_step_time": [_Handle, c_size_t, POINTER(c_uint64)],
}
# name: result, arguments
_RUNTIME_OTHER: dict[str, tuple[Any, list[Any]]] = {
    "octet_version": (c_char_p, []),
    "octet_last_error": (c_char_p, []),
    "octet_model_options_destroy": (None, [_Handle]),
    "octet_model_destroy": (None, [_Handle]),
    "octet_model_input_count": (c_size_t, [_Handle]),
    "octet_model_output_count": (c_size_t, [_Handle]),
    "octet_model_metadata": (c_char_p, [_Handle, c_char_p]),
    "octet_model_step_count": (c_size_t, [_Handle]),
    "octet_session_options_destroy": (None, [_Handle]),
    "octet_session_destroy": (None, [_Handle]),
}
_COMPILER: dict[str, list[Any]] = {
    "octet_convert_options_create": [_Out],
    "octet_convert_options_set_target": [_Handle, c_char_p],
    "octet_convert_options_set_compress": [_Handle, c_int],
    "octet_convert_options_set_goal": [_Handle, c_int],
    "octet_convert_options_set_ram_limit": [_Handle, c_uint64],
    "octet_convert_options_set_row_fed_input": [_Handle, c_int],
    "octet_convert_options_set_optimize": [_Handle, c_int],
    "octet_convert_options_add_input_shape": [_Handle, c_char_p, POINTER(c_int32), c_size_t],
    "octet_convert_options_set_channels_last": [_Handle, c_int, c_int],
    "octet_convert_options_set_directory": [_Handle, c_char_p],
    "octet_convert_options_add_metadata": [_Handle, c_char_p, c_char_p],
    "octet_convert": [c_void_p, c_size_t, _Handle, _Out],
    "octet_convert_file": [c_char_p, c_char_p, _Handle, _Out],
    "octet_converted_data": [_Handle, _Out, POINTER(c_size_t)],
    "octet_converted_report": [_Handle, POINTER(CConvertReport)],
}
_COMPILER_OTHER: dict[str, tuple[Any, list[Any]]] = {
    "octet_compiler_last_error": (c_char_p, []),
    "octet_convert_options_destroy": (None, [_Handle]),
    "octet_converted_destroy": (None, [_Handle]),
    "octet_converted_log": (c_char_p, [_Handle, c_size_t]),
}


class Library:
    """Functions as attributes, without "octet_". Those with a status raise Error instead."""

    def __init__(self, path: pathlib.Path, with_status: dict[str, list[Any]],
                 other: dict[str, tuple[Any, list[Any]]], last_error: str) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise ImportError(f"octet's native library does not load: {error}") from None
        for name, (result, arguments) in other.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name[len("octet_"):], function)
        last = getattr(self, last_error)

        def check(status: int, function: Any, arguments: Any) -> int:
            if status:
                raise Error(status, last().decode("utf-8", "replace"))
            return status

        for name, arguments in with_status.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes, function.errcheck = c_int, arguments, check
            setattr(self, name[len("octet_"):], function)

    def __getattr__(self, name: str) -> Any:  # for type checkers: attributes are set above
        raise AttributeError(name)


runtime = Library(file_of_build("liboctet.so", "src"), _RUNTIME, _RUNTIME_OTHER, "last_error")


@functools.lru_cache(maxsize=None)
def compiler() -> Library:
    return Library(file_of_build("liboctet_compiler.so", "src"), _COMPILER, _COMPILER_OTHER,
                   "compiler_last_error")


def new(create: Any, *arguments: Any) -> int:
    """The handle that `create` puts into its last argument."""
    handle = c_void_p()
    create(*arguments, ctypes.byref(handle))
    assert handle.value is not None
    return handle.value


def text(value: str, what: str) -> bytes:
    """A C string."""
    if not isinstance(value, str):
        raise Error(Status.INVALID_ARGUMENT, f"{what} is {type(value).__name__}, not str")
    if "\0" in value:
        raise Error(Status.INVALID_ARGUMENT, f"{what} has a null character in it")
    return value.encode()


def count(value: int, what: str) -> int:
    """A size_t."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise Error(Status.INVALID_ARGUMENT, f"{what} is {type(value).__name__}, not int")
    value = value.__index__()
    if not 0 <= value <= ctypes.c_size_t(-1).value:
        raise Error(Status.INVALID_ARGUMENT, f"{what} is {value}")
    return value


def size(value: int | str | None, what: str) -> int:
    """Bytes: a number, or text with a suffix as the octet command takes it ("64K"). None: 0."""
    if value is None:
        return 0
    if isinstance(value, str):
        match = re.fullmatch(r"([0-9]+)(?:([KMG])(?:I?B)?|B)?", value.upper())
        if match is None:
            raise Error(Status.INVALID_ARGUMENT,
                        f'{what}: "{value}" is not a number of bytes such as 4096, 256K or 1M')
        value = int(match[1]) << {"K": 10, "M": 20, "G": 30}.get(match[2], 0)
    return count(value, what)
