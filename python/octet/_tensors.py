"""What a tensor is, and what its values mean."""
from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import Error, Status
from ._native import CTensorInfo

# octet_type
_TYPES = {1: np.int8, 2: np.uint8, 3: np.int16, 4: np.int32, 5: np.int64, 6: np.float32,
          7: np.bool_}


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """An input or an output of a model."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    nbytes: int
    scale: float  # real = scale * (value - zero_point); 0: not quantised
    zero_point: int
    by_rows: bool  # an input that a session asks for row by row

    def quantise(self, real: npt.ArrayLike) -> npt.NDArray[Any]:
        """Real values as this tensor holds them: the bytes that a QUANTIZE operator would give."""
        self._need_scale()
        values = np.asarray(real, np.float32)
        limits = np.iinfo(self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            steps = (values / np.float32(self.scale)).astype(np.float64)
        # Ties away from zero; what is not a number becomes the zero point.
        steps = np.nan_to_num(np.trunc(steps + np.copysign(0.5, steps)), nan=0.0)
        return np.clip(steps + self.zero_point, limits.min, limits.max).astype(self.dtype)

    def dequantise(self, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """What values of this tensor mean, as a DEQUANTIZE operator would give it."""
        self._need_scale()
        steps = np.asarray(values).astype(np.int64) - self.zero_point
        return (np.float64(np.float32(self.scale)) * steps).astype(np.float32)

    def _need_scale(self) -> None:
        if self.scale == 0 or self.dtype.kind not in "iu":
            raise Error(Status.INVALID_ARGUMENT, f'"{self.name}" is not quantised')


def tensor_info(c: CTensorInfo) -> TensorInfo:
    return TensorInfo(name=(c.name or b"").decode("utf-8", "replace"),
                      dtype=np.dtype(_TYPES[c.type]), shape=tuple(c.shape[:c.rank]),
                      nbytes=c.bytes, scale=c.scale, zero_point=c.zero_point,
                      by_rows=bool(c.by_rows))
