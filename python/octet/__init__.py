"""Octet: int8 neural networks on small devices.

    import octet

    octet.convert("model.tflite", "model.octet")
    model = octet.Model("model.octet")
    session = model.session()
    scores, = session.run(pixels)

Everything that fails raises octet.Error, with a status and a sentence. A Model may be used by any
number of threads; the calls of one Session take turns. No call holds the interpreter's lock while
the library works.
"""
from ._compiler import Converted, convert
from ._errors import Error, Status
from ._model import Memory, Model, Outputs, Session, Step, StepTime
from ._native import runtime as _runtime
from ._tensors import TensorInfo
from ._tools import Quantized, Validated, quantize, validate
from ._torch import from_torch

__version__: str = _runtime.version().decode()

__all__ = ["Converted", "Error", "Memory", "Model", "Outputs", "Quantized", "Session", "Status",
           "Step", "StepTime", "TensorInfo", "Validated", "convert", "from_torch", "quantize",
           "validate"]
