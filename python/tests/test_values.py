import numpy as np
import pytest

import octet
from conftest import recorded
from octet import TensorInfo


def info(dtype, scale, zero_point):
    return TensorInfo("x", np.dtype(dtype), (1,), 1, scale, zero_point, False)


def test_quantise():
    t = info(np.int8, 0.5, 3)
    # Ties away from zero, saturation, and what is not a number.
    real = [0, 0.25, -0.25, 0.24, 0.75, -0.75, 1e9, -1e9, np.inf, -np.inf, np.nan]
    assert t.quantise(real).tolist() == [3, 4, 2, 3, 5, 1, 127, -128, 127, -128, 3]
    assert t.quantise(real).dtype == np.int8
    # The largest float below one half is not one half.
    assert info(np.int8, 1.0, 0).quantise(np.nextafter(np.float32(0.5), np.float32(0))) == 0
    assert info(np.uint8, 1.0, 128).quantise([-200, 0, 200]).tolist() == [0, 128, 255]


def test_dequantise():
    t = info(np.int8, 0.25, -128)
    values = t.dequantise(np.array([-128, 127], np.int8))
    assert values.tolist() == [0, 63.75] and values.dtype == np.float32
    every = np.arange(-128, 128).astype(np.int8)
    assert t.quantise(t.dequantise(every)).tolist() == every.tolist()


def test_not_quantised():
    for call in (info(np.float32, 0, 0).quantise, info(np.int8, 0, 0).dequantise):
        with pytest.raises(octet.Error, match="not quantised"):
            call([1])


def cases(model):
    """The folders with a model's recorded inputs and outputs."""
    return [model] if (model / "in0.bin").exists() else sorted(
        p for p in model.iterdir() if p.is_dir())


def arrays(folder, infos, kind):
    return [np.frombuffer((folder / f"{kind}{i}.bin").read_bytes(), t.dtype).reshape(t.shape)
            for i, t in enumerate(infos)]


@pytest.mark.parametrize("model", recorded("zoo/quant") + recorded("zoo/dequant") or [None],
                         ids=lambda p: p.name if p else "no data")
def test_as_the_operators(model):
    """quantise() and dequantise() give what QUANTIZE and DEQUANTIZE were recorded to give."""
    if model is None:
        pytest.skip("no test data")
    m = octet.Model(model / "model.tflite")
    for case in cases(model):
        (x,), (wanted,) = arrays(case, m.inputs, "in"), arrays(case, m.outputs, "out")
        np.testing.assert_array_equal(m.session().run(x)[0], wanted)
        if x.dtype == np.float32 and wanted.dtype.kind in "iu":
            np.testing.assert_array_equal(m.outputs[0].quantise(x), wanted)
        elif wanted.dtype == np.float32:
            np.testing.assert_array_equal(m.inputs[0].dequantise(x), wanted)


@pytest.mark.parametrize("model", recorded("models/kws") + recorded("models/vww") +
                         recorded("models/ad01") or [None],
                         ids=lambda p: p.name if p else "no data")
def test_recorded_models(model):
    if model is None:
        pytest.skip("no test data")
    m = octet.Model(model / "model.tflite")
    session = m.session()
    for case in cases(model):
        outputs = session.run(arrays(case, m.inputs, "in"))
        for got, wanted in zip(outputs, arrays(case, m.outputs, "out")):
            np.testing.assert_array_equal(got, wanted)
