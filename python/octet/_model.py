"""Models and sessions."""
from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from ctypes import byref, c_size_t, c_uint64, c_void_p
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from . import _native
from ._errors import Error, Status
from ._native import CMemory, CStepInfo, CTensorInfo, runtime
from ._tensors import TensorInfo, tensor_info

Array = npt.NDArray[Any]
Inputs = Union[Array, Mapping[Union[str, int], Array], Sequence[Array]]
RowSource = Callable[[int, Array], None]


@dataclasses.dataclass(frozen=True)
class Memory:
    """Exact RAM of a session, in bytes."""

    model_bytes: int  # shared by all sessions: handle, parameters, weights packed at load
    session_bytes: int  # handle, bookkeeping and state kept between runs
    arena_bytes: int  # activations and kernel scratch
    total_bytes: int  # the sum of the above
    mapped_bytes: int  # the model file, used in place
    activation_bytes: int  # the part of arena_bytes that the plan in the file states


@dataclasses.dataclass(frozen=True)
class Step:
    """What the executor runs at one step."""

    op: str  # "CONV_2D"
    name: str  # of the operator's output in the source model
    kernel: str  # that this CPU runs; a scalar one ends in "__ref"
    macs: int  # multiply-accumulates
    op_index: int  # of the operator in the file; below 0: rows of an input come in
    rows: tuple[int, int] | None  # output rows computed by the step; None: all of them
    pack_bytes: int  # constants in the kernel's layout
    pack_mapped: bool  # those come straight from the file
    scratch_bytes: int  # for each thread


@dataclasses.dataclass(frozen=True)
class StepTime:
    """A step and the nanoseconds that it took in the last run."""

    step: Step
    nanoseconds: int


class Outputs(tuple):  # type: ignore[type-arg]
    """The outputs of a run in the model's order; outputs["name"] finds one by its name."""

    _infos: tuple[TensorInfo, ...]

    def __new__(cls, arrays: Sequence[Array], infos: tuple[TensorInfo, ...]) -> Outputs:
        self = super().__new__(cls, arrays)
        self._infos = infos
        return self

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            key = _index(self._infos, key, "output")
        return super().__getitem__(key)


def _index(infos: tuple[TensorInfo, ...], which: str | int, kind: str) -> int:
    """The place of a tensor that is given by its name or place."""
    if isinstance(which, str):
        found = [i for i, info in enumerate(infos) if info.name == which]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f'"{info.name}"' for info in infos)
        problem = f"several {kind}s are" if found else f"no {kind} is"
        raise Error(Status.INVALID_ARGUMENT, f'{problem} named "{which}"; there are {names}')
    if isinstance(which, bool) or not hasattr(which, "__index__"):
        raise Error(Status.INVALID_ARGUMENT, f"{which!r} is neither a name nor an index")
    index: int = which.__index__()
    if not 0 <= index < len(infos):
        raise Error(Status.INVALID_ARGUMENT,
                    f"{kind} {index} does not exist: the model has {len(infos)}")
    return index


class _Native:
    """A handle of the library and who uses it: destroyed when the last user has let go.

    Counted by hand, since the garbage collector finalises cycles in any order, and a session must
    go before its model.
    """

    def __init__(self, handle: int, destroy: Callable[[int], None],
                 owner: _Native | None = None, keep: Any = None) -> None:
        self.handle = handle
        self.keep = keep  # what the handle points into
        self._destroy = destroy
        self._owner = owner
        self._users = 1
        self._lock = threading.RLock()  # a finaliser may come in between
        if owner is not None:
            owner.take()

    def take(self) -> None:
        with self._lock:
            self._users += 1

    def drop(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users != 0:
                return
        self._destroy(self.handle)
        self.keep = None
        if self._owner is not None:
            self._owner.drop()


class _ArenaBytes:
    """Memory of a session for numpy, which keeps this object, and so the session, alive."""

    def __init__(self, session: _Native, address: int, dtype: np.dtype[Any],
                 shape: tuple[int, ...], readonly: bool) -> None:
        self._session = session
        session.take()
        self.__array_interface__ = {
            "version": 3, "typestr": dtype.str, "shape": shape, "data": (address, readonly)}

    def __del__(self) -> None:
        self._session.drop()


def flat_bytes(data: Any, what: str) -> memoryview:
    """What has a buffer, as bytes in a row."""
    try:
        return memoryview(data).cast("B")
    except (TypeError, ValueError, BufferError) as error:
        raise Error(Status.INVALID_ARGUMENT,
                    f"{what} is neither a path nor bytes: {error}") from None


def _aligned_copy(data: Any, what: str) -> Array:
    """The bytes where nobody else changes them, and where weight packs can be used in place."""
    source = flat_bytes(data, what)
    block = np.empty(source.nbytes + 63, np.uint8)
    start = -block.ctypes.data % 64
    copy = block[start:start + source.nbytes]
    copy[:] = np.asarray(source)
    return copy


@contextlib.contextmanager
def _options(create: Any, destroy: Any) -> Iterator[int]:
    options = _native.new(create)
    try:
        yield options
    finally:
        destroy(options)


class Model:
    """An immutable, verified model. Any number of sessions, in any threads, may share it.

    `source` is a path or bytes. An .octet file is mapped and used in place: it must not change
    while the model lives (bytes are copied). What `octet convert` reads is converted in memory.

    `ram_limit` refuses a model that takes more bytes of its own (a number, or text as "64K").
    `isa` caps the instruction set: "scalar", "avx2", "avxvnni", "avx512vnni", "neon", ...
    """

    def __init__(self, source: str | os.PathLike[str] | bytes | bytearray | memoryview | Array, *,
                 ram_limit: int | str | None = None, isa: str | None = None) -> None:
        self._native: _Native | None = None
        limit = _native.size(ram_limit, "ram_limit")
        path: bytes | None = None
        if isinstance(source, (str, os.PathLike)):
            path = os.fsencode(source)
            if b"\0" in path:
                raise Error(Status.INVALID_ARGUMENT, "the path has a null character in it")
            if not _is_octet_file(path):
                from ._compiler import convert_bytes
                source, path = convert_bytes(source), None
        elif not _is_octet(bytes(flat_bytes(source, "a model")[:8])):
            from ._compiler import convert_bytes
            source = convert_bytes(source)
        with _options(runtime.model_options_create, runtime.model_options_destroy) as options:
            runtime.model_options_set_ram_limit(options, limit)
            if isa is not None:
                runtime.model_options_set_isa(options, _native.text(isa, "isa"))
            owner = None
            if path is not None:
                handle = _native.new(runtime.model_load_file, path, options)
            else:
                owner = _aligned_copy(source, "a model")
                handle = _native.new(runtime.model_load_buffer, owner.ctypes.data, owner.nbytes,
                                     options)
        self._native = _Native(handle, runtime.model_destroy, keep=owner)
        self._inputs = self._infos(runtime.model_input_count, runtime.model_input_info)
        self._outputs = self._infos(runtime.model_output_count, runtime.model_output_info)

    def __del__(self) -> None:
        native = getattr(self, "_native", None)
        if native is not None:
            native.drop()

    def __repr__(self) -> str:
        def sketch(infos: tuple[TensorInfo, ...]) -> str:
            return ", ".join(f"{i.name or '?'} {i.dtype}{list(i.shape)}" for i in infos)
        return f"<octet.Model {sketch(self.inputs)} -> {sketch(self.outputs)}>"

    def _infos(self, count: Any, get: Any) -> tuple[TensorInfo, ...]:
        infos = []
        for i in range(count(self._handle)):
            c = CTensorInfo(struct_size=ctypes.sizeof(CTensorInfo))
            get(self._handle, i, byref(c))
            infos.append(tensor_info(c))
        return tuple(infos)

    @property
    def _handle(self) -> int:
        assert self._native is not None
        return self._native.handle

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return self._outputs

    @property
    def steps(self) -> tuple[Step, ...]:
        """What a run does, in order, with the kernels that this CPU gets."""
        steps = []
        for i in range(runtime.model_step_count(self._handle)):
            c = CStepInfo(struct_size=ctypes.sizeof(CStepInfo))
            runtime.model_step_info(self._handle, i, byref(c))
            steps.append(Step(
                op=c.op.decode(), name=(c.name or b"").decode("utf-8", "replace"),
                kernel=c.kernel.decode(), macs=c.macs, op_index=c.op_index,
                rows=(c.row_begin, c.row_end) if c.row_end >= 0 else None,
                pack_bytes=c.pack_bytes, pack_mapped=bool(c.pack_mapped),
                scratch_bytes=c.scratch_bytes))
        return tuple(steps)

    def metadata(self, key: str) -> str | None:
        """Free text in the file: "labels", "licence", "source_sha256"; None where there is none."""
        value = runtime.model_metadata(self._handle, _native.text(key, "key"))
        return None if value is None else value.decode("utf-8", "replace")

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, if the file has them."""
        text = self.metadata("labels")
        return tuple(text.split("\n")) if text else ()

    def memory(self, *, threads: int = 1) -> Memory:
        """The exact RAM that a session takes, known before there is one."""
        with _session_options(threads, None, False) as options:
            return self._memory(options)

    def _memory(self, options: int) -> Memory:
        c = CMemory(struct_size=ctypes.sizeof(CMemory))
        runtime.session_memory(self._handle, options, byref(c))
        return Memory(*(getattr(c, field.name) for field in dataclasses.fields(Memory)))

    def session(self, *, threads: int = 1, ram_limit: int | str | None = None,
                profile: bool = False) -> Session:
        """The memory of one inference. All of it is taken here; runs take none.

        `threads`: that a run may use, the caller's included. `ram_limit`: refuse to take more than
        these bytes in all. `profile`: measure each step's time, for Session.profile().
        """
        return Session(self, threads=threads, ram_limit=ram_limit, profile=profile)


@contextlib.contextmanager
def _session_options(threads: int, ram_limit: int | str | None, profile: bool) -> Iterator[int]:
    limit = _native.size(ram_limit, "ram_limit")
    count = _native.count(threads, "threads")
    with _options(runtime.session_options_create, runtime.session_options_destroy) as options:
        runtime.session_options_set_threads(options, count)
        runtime.session_options_set_ram_limit(options, limit)
        runtime.session_options_set_profiling(options, bool(profile))
        yield options


class Session:
    """The memory of one inference: `session.run(array)`.

    Calls from several threads take turns; sessions of their own run at the same time. A `with`
    block closes the session at its end; arrays in place keep its memory until they are gone.
    """

    def __init__(self, model: Model, *, threads: int = 1, ram_limit: int | str | None = None,
                 profile: bool = False) -> None:
        self._native: _Native | None = None
        self._lock = threading.Lock()
        self._holder: int | None = None  # the thread that has the lock
        self._sources: dict[int, RowSource] = {}  # of inputs that come row by row
        self._rows: dict[int, Array] = {}  # the same, set as whole arrays for the next run
        self._model = model
        with _session_options(threads, ram_limit, profile) as options:
            self._memory = model._memory(options)
            handle = _native.new(runtime.session_create, model._handle, options)
        self._native = _Native(handle, runtime.session_destroy, owner=model._native)
        # Inputs and outputs stay where they are as long as the session lives.
        self._input_views = [
            None if info.by_rows else self._view(runtime.session_input_data, i, info)
            for i, info in enumerate(model.inputs)]
        self._output_views = [self._view(runtime.session_output_data, i, info, readonly=True)
                              for i, info in enumerate(model.outputs)]

    def __del__(self) -> None:
        native, self._native = getattr(self, "_native", None), None
        if native is not None:
            native.drop()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the memory (when the last array in place is gone). May be called again."""
        if self._native is not None:
            with self._use():
                native, self._native = self._native, None
                self._input_views, self._output_views = [], []
                native.drop()

    def _view(self, find: Any, index: int, info: TensorInfo, readonly: bool = False) -> Array:
        assert self._native is not None
        address, size = c_void_p(), c_size_t()
        find(self._native.handle, index, byref(address), byref(size))
        return np.asarray(_ArenaBytes(self._native, address.value or 0, info.dtype, info.shape,
                                      readonly))

    @contextlib.contextmanager
    def _use(self) -> Iterator[int]:
        me = threading.get_ident()
        if self._holder == me:
            raise Error(Status.INVALID_ARGUMENT,
                        "the session is running: a row source cannot use it")
        with self._lock:
            if self._native is None:
                raise Error(Status.INVALID_ARGUMENT, "the session is closed")
            self._holder = me
            try:
                yield self._native.handle
            finally:
                self._holder = None

    @property
    def model(self) -> Model:
        return self._model

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return self._model.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return self._model.outputs

    @property
    def memory(self) -> Memory:
        """The exact RAM that this session holds."""
        return self._memory

    def input(self, which: str | int = 0) -> Array:
        """Where an input lives, to be filled in place before run(). A run loses its contents.

        Not to be written to while a run is under way in another thread.
        """
        with self._use():
            return self._input(_index(self.inputs, which, "input")).view()

    def output(self, which: str | int = 0) -> Array:
        """Where an output lives, read-only: valid between a run and the next input or run."""
        with self._use():
            return self._output_views[_index(self.outputs, which, "output")].view()

    def _input(self, index: int) -> Array:
        view = self._input_views[index]
        if view is None:
            raise Error(Status.INVALID_ARGUMENT,
                        f'input {index} "{self.inputs[index].name}" comes row by row')
        return view

    def set_input(self, which: str | int, array: Array) -> None:
        """Copies an input in; shape and type must be the tensor's."""
        with self._use():
            index = _index(self.inputs, which, "input")
            self._set(index, _fitting(array, self.inputs[index]))

    def _set(self, index: int, array: Array) -> None:
        if self.inputs[index].by_rows:
            self._rows[index] = array
        else:
            np.copyto(self._input(index), array)  # which may be an array in place, and overlap

    def set_row_source(self, which: str | int, source: RowSource | None) -> None:
        """Who hands over the rows of an input that comes row by row.

        `source(row, into)` fills the array `into` with row `row`, from the top. What it raises ends
        the run and comes out of it.
        """
        with self._use():
            index = _index(self.inputs, which, "input")
            if not self.inputs[index].by_rows:
                raise Error(Status.INVALID_ARGUMENT,
                            f'input {index} "{self.inputs[index].name}" does not come row by row')
            if source is None:
                self._sources.pop(index, None)
            else:
                self._sources[index] = source

    def run(self, inputs: Inputs | None = None, *, copy: bool = True) -> Outputs:
        """Runs the model once and returns its outputs.

        `inputs`: the array of a model's only input, a mapping from names or indices to arrays, or a
        sequence with one array for each input; None if they were set before (input(), set_input()).
        Every input has to be set before each run. With `copy=False` the outputs are the session's
        own memory, valid until the next input or run.
        """
        with self._use() as handle:
            if inputs is not None:
                checked = [(i, _fitting(array, self.inputs[i])) for i, array in self._pair(inputs)]
                for index, array in checked:
                    self._set(index, array)
            self._run(handle)
            return Outputs([v.copy() if copy else v.view() for v in self._output_views],
                           self.outputs)

    def _pair(self, inputs: Inputs) -> list[tuple[int, Array]]:
        count = len(self.inputs)
        if isinstance(inputs, Mapping):
            pairs = {_index(self.inputs, which, "input"): array for which, array in inputs.items()}
            missing = [i for i in range(count) if i not in pairs and i not in self._sources]
            if missing:
                names = ", ".join(f'{i} "{self.inputs[i].name}"' for i in missing)
                raise Error(Status.INVALID_ARGUMENT, f"no array for input {names}")
            return list(pairs.items())
        arrays: list[Any] = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if len(arrays) != count:
            raise Error(Status.INVALID_ARGUMENT,
                        f"{len(arrays)} arrays for a model with {count} inputs")
        return list(enumerate(arrays))

    def _run(self, handle: int) -> None:
        if not any(info.by_rows for info in self.inputs):
            runtime.session_run(handle)
            return
        native, raised = self._native, None
        assert native is not None

        def hand_over(_: Any, index: int, row: int, data: int, size: int) -> int:
            nonlocal raised
            try:
                info = self.inputs[index]
                into = np.asarray(_ArenaBytes(native, data, info.dtype, info.shape[2:], False))
                if index in self._rows:
                    into[...] = self._rows[index][0, row]
                elif index in self._sources:
                    self._sources[index](row, into)
                else:
                    raise Error(Status.INVALID_ARGUMENT,
                                f'input {index} "{info.name}" has neither rows nor a row source')
                return int(Status.OK)
            except BaseException as error:  # nothing can be raised through C
                raised = error
                return int(Status.RUN_ERROR)

        callback = _native.RowSource(hand_over)
        runtime.session_set_row_source(handle, callback, None)
        try:
            runtime.session_run(handle)
        except Error:
            if raised is None:
                raise
            raise raised from None
        finally:
            self._rows.clear()
            runtime.session_set_row_source(handle, _native.RowSource(), None)

    def profile(self) -> list[StepTime]:
        """Each step's time in the last run; needs a session made with `profile=True`."""
        times = []
        with self._use() as handle:
            for i, step in enumerate(self._model.steps):
                nanoseconds = c_uint64()
                runtime.session_step_time(handle, i, byref(nanoseconds))
                times.append(StepTime(step, nanoseconds.value))
        return times

    def reset_state(self) -> None:
        """Sets the state of stateful operators (SVDF, LSTM) back to its first value."""
        with self._use() as handle:
            runtime.session_reset_state(handle)


def _fitting(given: Any, info: TensorInfo) -> Array:
    """The array, if it has the tensor's shape and type. Values are never converted."""
    try:
        array: Array = np.asarray(given)
    except Exception as error:
        raise Error(Status.INVALID_ARGUMENT,
                    f'input "{info.name}" wants an array: {error}') from error
    if array.dtype != info.dtype:
        hint = "; TensorInfo.quantise() converts" if array.dtype.kind == "f" and info.scale else ""
        raise Error(Status.INVALID_ARGUMENT,
                    f'input "{info.name}" is {info.dtype}, not {array.dtype}{hint}')
    if array.shape != info.shape:
        raise Error(Status.INVALID_ARGUMENT,
                    f'input "{info.name}" has shape {info.shape}, not {array.shape}')
    return array


def _is_octet(head: bytes) -> bool:
    """Whether bytes are for the runtime to judge: a model's, or too few for anything else."""
    return len(head) < 8 or head[4:8] == b"OCT1"


def _is_octet_file(path: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return _is_octet(file.read(8))
    except OSError:
        return True  # the runtime says what is wrong with it
