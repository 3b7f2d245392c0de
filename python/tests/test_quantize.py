"""quantize() and validate() on the digits network, float as PyTorch exported it."""
import os

import numpy as np
import pytest

import octet
from conftest import DIGITS
from octet import Error, Status

FLOAT = DIGITS / "digits.onnx"
CALIBRATION = DIGITS / "calibration.npy"


@pytest.fixture(scope="module", autouse=True)
def needs_onnx():
    try:
        octet.convert(FLOAT)
    except Error as error:
        if "without ONNX" not in error.text:
            raise
        pytest.skip("built without ONNX")


@pytest.fixture(scope="module")
def quantized():
    return octet.quantize(FLOAT, data=CALIBRATION)


@pytest.fixture(scope="module")
def held_out(pictures):
    """The 60 pictures as uint8, and their labels."""
    return (np.stack([(p.astype(np.int16) + 128).astype(np.uint8).reshape(1, 8, 8)
                      for p, _ in pictures]), np.array([label for _, label in pictures]))


def test_quantize(quantized, pictures):
    assert quantized.reached_goals and quantized.output_sqnr_db > 20
    assert {layer["precision"] for layer in quantized.layers} == {"int8"}
    assert quantized.report["samples"] == 200
    session = octet.Model(quantized.data).session()
    info = session.inputs[0]
    assert info.dtype == np.int8 and info.nbytes == 64
    right = sum(int(session.run(p.reshape(info.shape))[0].argmax()) == l for p, l in pictures)
    assert right >= 59  # one 5 is read as a 9, by the float network too


def test_ways_to_hand_over_data(quantized, tmp_path):
    calibration = np.load(CALIBRATION)
    out = tmp_path / "digits.octet"
    # Files and arrays give the same bytes.
    made = octet.quantize(FLOAT, out, data=calibration)
    assert made.data is None and out.read_bytes() == quantized.data
    assert octet.quantize(FLOAT.read_bytes(), data={"picture": calibration}).data == quantized.data
    other = octet.quantize(FLOAT, data=calibration, range="mse", equalize=True, io="float")
    assert octet.Model(other.data).inputs[0].dtype == np.float32


def test_validate(quantized, held_out, tmp_path):
    pictures, labels = held_out
    page = tmp_path / "page.html"
    result = octet.validate(FLOAT, quantized.data, data=pictures, labels=labels,
                            max_accuracy_drop=0.01, report=page)
    assert result.passed and page.stat().st_size > 1000
    # No model is this fast: the threshold decides.
    assert not octet.validate(FLOAT, quantized.data, data=pictures, labels=labels,
                              max_latency_ms=1e-9).passed


def test_refusals(tmp_path, quantized):
    def status(call, *arguments, **options):
        with pytest.raises(Error) as caught:
            call(*arguments, **options)
        assert caught.value.text and "Usage" not in caught.value.text
        return caught.value.status

    out = tmp_path / "out.octet"
    calibration = np.load(CALIBRATION)
    absent = tmp_path / "absent.onnx"
    assert status(octet.quantize, absent, out, data=CALIBRATION) == Status.IO_ERROR
    assert status(octet.quantize, b"no model at all", out, data=CALIBRATION) == Status.INVALID_MODEL
    for data in (tmp_path / "absent", tmp_path, calibration[:0], calibration[:, :, :4], 7, "a\0b",
                 np.full((2, 1, 8, 8), np.nan, np.float32), np.array([object()]),
                 {"nobody": calibration, "b": calibration}):
        assert status(octet.quantize, FLOAT, out, data=data) in (Status.INVALID_ARGUMENT,
                                                                 Status.IO_ERROR)
    assert status(octet.quantize, FLOAT, out, data=calibration,
                  range="guess") == Status.INVALID_ARGUMENT
    assert status(octet.quantize, FLOAT, out, data=calibration, ram_limit=100) == Status.RAM_LIMIT
    assert status(octet.validate, FLOAT, tmp_path / "absent.octet",
                  data=calibration) == Status.IO_ERROR
    assert os.listdir(tmp_path) == []
