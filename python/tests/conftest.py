"""Where the tests find things: the package (installed, or beside them) and models."""
import importlib.util
import os
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
if importlib.util.find_spec("octet") is None:
    sys.path.insert(0, str(ROOT / "python"))
# Recorded inputs and outputs: tests that need them skip where they are absent.
DATA = pathlib.Path(os.environ.get("OCTET_TEST_DATA", ROOT.parent / "shared"))

import octet  # noqa: E402

DIGITS = ROOT / "docs" / "examples" / "digits"


@pytest.fixture(scope="session")
def tflite() -> pathlib.Path:
    return DIGITS / "digits.tflite"


@pytest.fixture(scope="session")
def digits_file(tflite) -> bytes:
    return octet.convert(tflite, labels=[str(i) for i in range(10)]).data


@pytest.fixture
def digits(digits_file) -> octet.Model:
    return octet.Model(digits_file)


def pgm(path: pathlib.Path) -> np.ndarray:
    """An 8x8 picture as the digits network wants it."""
    data = path.read_bytes()
    return (np.frombuffer(data[-64:], np.uint8).astype(np.int16) - 128).astype(np.int8).reshape(
        1, 8, 8, 1)


@pytest.fixture(scope="session")
def pictures() -> list:
    """(array, label) of each picture in docs/examples/digits."""
    return [(pgm(path), int(path.name[0])) for path in sorted((DIGITS / "images").glob("*.pgm"))]


def recorded(folder: str) -> list:
    """Folders of recorded cases below DATA whose name begins so."""
    return sorted(p.parent for p in DATA.glob(folder + "*/model.tflite"))
