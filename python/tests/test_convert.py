import os

import numpy as np
import pytest

import octet
from conftest import DIGITS
from octet import Error, Status


def status(*arguments, **options):
    with pytest.raises(Error) as caught:
        octet.convert(*arguments, **options)
    assert caught.value.text
    return caught.value.status


def test_to_bytes_and_to_a_file(tflite, tmp_path):
    made = octet.convert(tflite)
    assert made.file_bytes == len(made.data) and made.data[4:8] == b"OCT1"
    assert made.bound_bytes <= made.arena_bytes < made.total_bytes and made.weight_traffic == 1
    assert any("imported" in line for line in made.log)
    for source in (tflite, str(tflite), tflite.read_bytes(), np.fromfile(tflite, np.uint8)):
        path = tmp_path / "digits.octet"
        written = octet.convert(source, path)
        assert written.data is None and written.file_bytes == made.file_bytes
        assert path.read_bytes() == made.data
        path.unlink()
    assert octet.Model(made.data).memory().total_bytes == made.total_bytes


def test_options(tflite):
    plain = octet.convert(tflite)
    packed = octet.convert(tflite, target="native")
    assert packed.file_bytes > plain.file_bytes and packed.total_bytes < plain.total_bytes
    assert octet.Model(packed.data).memory().total_bytes == packed.total_bytes  # used in place
    small = octet.convert(tflite, optimize="ram")
    assert small.arena_bytes < plain.arena_bytes
    limited = octet.convert(tflite, ram_limit=plain.total_bytes - 1)
    assert limited.total_bytes < plain.total_bytes
    assert octet.convert(tflite, rewrite=False).file_bytes > 0
    named = octet.Model(octet.convert(tflite, labels=["a", "b"], metadata={"note": "n"}).data)
    assert named.labels == ("a", "b") and named.metadata("note") == "n"


def test_refusals(tflite, tmp_path):
    output = tmp_path / "out.octet"
    assert status(tflite, output, ram_limit=100) == Status.RAM_LIMIT
    with pytest.raises(Error, match=r"needs \d+ bytes at least, more than the limit of 100"):
        octet.convert(tflite, ram_limit=100)
    assert status(tflite, output, target="abacus") != Status.OK
    assert status(tflite, output, optimize="beauty") == Status.INVALID_ARGUMENT
    assert status(tflite, output, metadata={"": "x"}) == Status.INVALID_ARGUMENT
    assert status(tflite, output, metadata={"x": 5}) == Status.INVALID_ARGUMENT
    assert status(tmp_path / "absent.tflite", output) == Status.IO_ERROR
    assert status(tmp_path / "absent.tflite") == Status.IO_ERROR
    assert status(b"garbage, and more of it", output) == Status.INVALID_MODEL
    assert status(b"") == Status.INVALID_MODEL
    assert status(3) == Status.INVALID_ARGUMENT
    assert status(tflite, tmp_path / "no" / "folder.octet") == Status.IO_ERROR
    assert status(tflite.read_bytes(), tmp_path / "no" / "folder.octet") == Status.IO_ERROR
    assert os.listdir(tmp_path) == []


def test_corrupted_bytes(tflite):
    source = tflite.read_bytes()
    random = np.random.default_rng(2)
    for trial in range(150):
        broken = bytearray(source)
        for at in random.integers(0, len(broken), 1 + trial % 5):
            broken[at] = random.integers(256)
        if trial % 3 == 0:
            del broken[random.integers(1, len(broken)):]
        try:
            octet.convert(broken)
        except Error as error:
            assert error.text


def test_onnx(pictures):
    network = DIGITS / "digits.onnx"
    if any("without ONNX" in e for e in _refusal(network)):
        pytest.skip("built without ONNX")
    model = octet.Model(network)
    assert model.inputs[0].shape == (1, 1, 8, 8) and model.inputs[0].dtype == np.float32
    session = model.session()
    floats = [((p.astype(np.float32) + 128) / 255, label) for p, label in pictures]
    assert sum(int(session.run(x.reshape(1, 1, 8, 8))[0].argmax()) == l for x, l in floats) >= 59
    # From memory and from a file, with channels second and last.
    plain = octet.convert(network).data
    assert octet.convert(network.read_bytes()).data == plain
    last = octet.Model(octet.convert(network, input_layout="nhwc").data)
    assert last.inputs[0].shape == (1, 8, 8, 1)
    assert octet.convert(network, shapes={"picture": (1, 1, 8, 8)}).data == plain
    with pytest.raises(Error):
        octet.convert(network, shapes={"picture": (1, 3, 8)})
    with pytest.raises(Error):
        octet.convert(network, shapes={"picture": (1,) * 99})
    with pytest.raises(Error):
        octet.convert(network, shapes={"picture": (1, 1, 1 << 40, 8)})
    with pytest.raises(Error):
        octet.convert(network, input_layout="hcwn")


def _refusal(path):
    try:
        octet.convert(path)
    except Error as error:
        return [error.text]
    return []
