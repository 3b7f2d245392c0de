"""One class of instruction sets: every model with TFLite + XNNPACK, Octet and, in the class that has
everything (ONNX Runtime cannot be held to less), ONNX Runtime in turns.

compare.py starts this in the virtual environment. Reads a job (JSON) from standard input and writes
one JSON object a model to standard output.
"""
import ctypes
import functools
import glob
import json
import os
import sys
import time

import numpy as np

import ai_edge_litert
from ai_edge_litert.interpreter import Interpreter

import onnx_model
import onnxruntime
import xnnpack_class

WINDOW_NS = 60_000_000  # how long one runtime's turn lasts
MAX_CALLS = 4000


class Copy(ctypes.Structure):
    _fields_ = [("to", ctypes.c_void_p), ("source", ctypes.c_void_p), ("bytes", ctypes.c_uint64)]


class Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                ("struct_size", "model", "session", "arena", "total", "mapped", "activation")]


class Timer:
    def __init__(self, path):
        self.call = ctypes.CDLL(path).time_calls
        self.call.restype = ctypes.c_int64
        self.call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64,
                              ctypes.c_uint64, ctypes.c_uint64, ctypes.c_void_p]
        self.times = np.zeros(MAX_CALLS, np.uint64)

    def __call__(self, function, argument, copies, max_calls=MAX_CALLS):
        """Microseconds of one window's calls."""
        n = self.call(function, argument, copies, len(copies), WINDOW_NS, max_calls,
                      self.times.ctypes.data)
        if n < 0:
            raise RuntimeError(f"a run failed with status {-n}")
        return self.times[:n].astype(np.float64) / 1000


class TFLite:
    """Interpreter::Invoke, called directly."""

    def __init__(self, symbols, path, threads):
        self.function = symbols.base + symbols.address["_ZN6tflite4impl11Interpreter6InvokeEv"]
        start = time.perf_counter()
        self.interpreter = Interpreter(path, num_threads=threads)
        self.interpreter.allocate_tensors()
        self.init_us = (time.perf_counter() - start) * 1e6
        self.argument = self.interpreter._native_handle()
        self.inputs = [self.interpreter.tensor(d["index"])()
                       for d in self.interpreter.get_input_details()]

    def copies(self, inputs):
        return [(view.ctypes.data, data) for view, data in zip(self.inputs, inputs)]

    def outputs(self):
        return [self.interpreter.get_tensor(d["index"]).tobytes()
                for d in self.interpreter.get_output_details()]


class Octet:
    """octet_session_run, called directly."""

    def __init__(self, library, path, threads, isa):
        self.lib = library
        self.function = ctypes.cast(library.octet_session_run, ctypes.c_void_p).value
        self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        model_options, options = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(library.octet_model_options_create(ctypes.byref(model_options)))
        self.check(library.octet_model_options_set_isa(model_options, isa.encode()))
        self.check(library.octet_session_options_create(ctypes.byref(options)))
        self.check(library.octet_session_options_set_threads(options, ctypes.c_size_t(threads)))
        start = time.perf_counter()
        self.check(library.octet_model_load_file(path.encode(), model_options,
                                                 ctypes.byref(self.model)))
        self.check(library.octet_session_create(self.model, options, ctypes.byref(self.session)))
        self.init_us = (time.perf_counter() - start) * 1e6
        memory = Memory(struct_size=ctypes.sizeof(Memory))
        self.check(library.octet_session_memory(self.model, options, ctypes.byref(memory)))
        self.ram_bytes = memory.total
        library.octet_model_options_destroy(model_options)
        library.octet_session_options_destroy(options)
        self.argument = self.session.value

    def check(self, status):
        if status != 0:
            self.lib.octet_last_error.restype = ctypes.c_char_p
            raise RuntimeError((self.lib.octet_last_error() or b"?").decode())

    def copies(self, inputs):
        result = []
        for i, data in enumerate(inputs):
            to, size = ctypes.c_void_p(), ctypes.c_size_t()
            self.check(self.lib.octet_session_input_data(self.session, ctypes.c_size_t(i),
                                                         ctypes.byref(to), ctypes.byref(size)))
            if size.value != len(data):
                raise RuntimeError(f"input {i} has {size.value} bytes, not {len(data)}")
            result.append((to.value, data))
        return result

    def outputs(self):
        self.lib.octet_model_output_count.restype = ctypes.c_size_t
        result = []
        for i in range(self.lib.octet_model_output_count(self.model)):
            data, size = ctypes.c_void_p(), ctypes.c_size_t()
            self.check(self.lib.octet_session_output_data(self.session, ctypes.c_size_t(i),
                                                          ctypes.byref(data), ctypes.byref(size)))
            result.append(ctypes.string_at(data, size.value))
        return result

    def close(self):
        self.lib.octet_session_destroy(self.session)
        self.lib.octet_model_destroy(self.model)


class OnnxRuntime:
    """InferenceSession.run_with_iobinding. Some microseconds of Python are in its times."""

    def __init__(self, path, threads):
        data, self.signed = onnx_model.convert(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        start = time.perf_counter()
        self.session = onnxruntime.InferenceSession(data, options,
                                                    providers=["CPUExecutionProvider"])
        self.init_us = (time.perf_counter() - start) * 1e6
        self.binding = self.session.io_binding()

    def set_inputs(self, inputs):
        for i, tensor in enumerate(self.session.get_inputs()):
            x = np.frombuffer(inputs[i], np.uint8).reshape(tensor.shape)
            self.binding.bind_cpu_input(tensor.name, np.ascontiguousarray(x ^ 0x80 if self.signed[i]
                                                                          else x))
        for tensor in self.session.get_outputs():
            self.binding.bind_output(tensor.name, "cpu")

    def __call__(self):
        """Microseconds of one window's calls."""
        run, binding, clock = self.session.run_with_iobinding, self.binding, time.perf_counter_ns
        times, start = [], clock()
        while not times or clock() - start < WINDOW_NS:
            begin = clock()
            run(binding)
            times.append(clock() - begin)
        return np.array(times) / 1000

    def outputs(self):
        flip = 0x80 if self.signed[0] else 0
        return [(out ^ flip).tobytes() for out in self.binding.copy_outputs_to_cpu()]


def case_data(folder, sizes):
    """A case's inputs and outputs; pseudo-random inputs where there is none of these sizes."""
    info_path = os.path.join(folder, "info.json")
    if os.path.exists(info_path):
        with open(info_path) as f:
            info = json.load(f)
        case = os.path.join(folder, info["cases"][0])

        def read(name, count):
            data = []
            for i in range(count):
                with open(os.path.join(case, f"{name}{i}.bin"), "rb") as f:
                    data.append(f.read())
            return data

        inputs = read("in", len(info["inputs"]))
        if [len(data) for data in inputs] == sizes:
            return inputs, read("out", len(info["outputs"]))
    random = np.random.default_rng(1)
    return [random.integers(0, 256, n, np.uint8).tobytes() for n in sizes], None


def copy_array(pairs, keep):
    copies = (Copy * len(pairs))()
    for i, (to, data) in enumerate(pairs):
        buffer = ctypes.create_string_buffer(data, len(data))
        keep.append(buffer)
        copies[i] = Copy(to, ctypes.addressof(buffer), len(data))
    return copies


def measure(job, model, threads, symbols, library, timer):
    tflite = TFLite(symbols, model["tflite"], threads)
    inits = {"tflite": [tflite.init_us], "octet": []}
    octet = Octet(library, model["octet"], threads, job["isa"])
    inits["octet"].append(octet.init_us)
    inputs, expected = case_data(os.path.dirname(model["tflite"]),
                                 [view.nbytes for view in tflite.inputs])
    keep = []
    runtimes = {"tflite": tflite, "octet": octet}
    copies = {name: copy_array(r.copies(inputs), keep) for name, r in runtimes.items()}
    turns = {name: functools.partial(timer, r.function, r.argument, copies[name])
             for name, r in runtimes.items()}
    onnx = None
    if job["isa"] == "":
        try:
            onnx = OnnxRuntime(model["tflite"], threads)
            onnx.set_inputs(inputs)
            turns["onnx"] = onnx
        except (onnx_model.Unsupported, TypeError, ValueError, RuntimeError):
            pass  # a model without a time there
    result = {"model": model["name"], "class": job["class"], "threads": threads,
              "octet_ram_bytes": octet.ram_bytes}
    for name, r in runtimes.items():
        timer(r.function, r.argument, copies[name], 1)  # one run: state is as in the test case
        if expected is not None:
            result[name + "_exact"] = r.outputs() == expected
        timer(r.function, r.argument, copies[name])  # warm
    if onnx is not None:
        turns["onnx"]()  # warm
        if expected is not None:
            result["onnx_exact"] = onnx.outputs() == expected
    best = {name: [] for name in turns}
    median = {name: [] for name in turns}
    for i in range(job["rounds"]):
        order = list(turns) if i % 2 == 0 else list(turns)[::-1]
        for name in order:
            times = turns[name]()
            best[name].append(float(times.min()))
            median[name].append(float(np.median(times)))
    for name in turns:
        result[name + "_us"] = float(np.median(best[name]))
        result[name + "_best_us"] = min(best[name])
        result[name + "_median_us"] = float(np.median(median[name]))
    pairs = [t / o for t, o in zip(best["tflite"], best["octet"])]
    result["ratio"] = float(np.median(pairs))
    result["ratio_low"], result["ratio_high"] = min(pairs), max(pairs)
    if onnx is not None:
        result["onnx_ratio"] = float(np.median([t / o for t, o in zip(best["onnx"], best["octet"])]))
    octet.close()
    del tflite, turns, onnx
    for _ in range(5 if threads == 1 else 0):
        inits["tflite"].append(TFLite(symbols, model["tflite"], threads).init_us)
        again = Octet(library, model["octet"], threads, job["isa"])
        inits["octet"].append(again.init_us)
        again.close()
    for name in inits:
        result[name + "_init_us"] = min(inits[name])
    return result


def main():
    job = json.load(sys.stdin)
    library = ctypes.CDLL(job["library"])
    folder = os.path.dirname(ai_edge_litert.__file__)
    symbols = xnnpack_class.Symbols(glob.glob(folder + "/libpywrap_litert_common.so")[0])
    kernel = xnnpack_class.cap(symbols, job["class"])
    print(json.dumps({"class": job["class"], "xnnpack_kernel": kernel}), flush=True)
    timer = Timer(job["timer"])
    for model in job["models"]:
        for threads in job["threads"]:
            try:
                result = measure(job, model, threads, symbols, library, timer)
            except (RuntimeError, ValueError) as error:  # ValueError: TFLite refuses the model
                result = {"model": model["name"], "class": job["class"], "threads": threads,
                          "error": str(error)[:100]}
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
