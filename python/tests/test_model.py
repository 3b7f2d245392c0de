import gc
import pathlib

import numpy as np
import pytest

import octet
from octet import Error, Status


def status(call, *arguments, **options):
    with pytest.raises(Error) as caught:
        call(*arguments, **options)
    assert caught.value.text
    return caught.value.status


def test_describes_itself(digits):
    (info,), (scores,) = digits.inputs, digits.outputs
    assert (info.shape, info.dtype, info.nbytes) == ((1, 8, 8, 1), np.int8, 64)
    assert info.scale == pytest.approx(1 / 255) and info.zero_point == -128 and not info.by_rows
    assert scores.shape == (1, 10)
    assert digits.labels == tuple("0123456789")
    assert digits.metadata("nothing") is None
    assert "int8[1, 8, 8, 1]" in repr(digits)
    steps = digits.steps
    assert steps[0].op == "CONV_2D" and steps[0].macs == 9 * 64 * 16 and steps[0].rows is None
    assert octet.__version__.count(".") == 2


def test_memory_is_known_before(digits):
    memory = digits.memory()
    assert memory.total_bytes == memory.model_bytes + memory.session_bytes + memory.arena_bytes
    assert digits.session().memory == memory
    assert digits.session(ram_limit=memory.total_bytes).memory == memory
    with pytest.raises(Error, match=str(memory.total_bytes)) as caught:
        digits.session(ram_limit=memory.total_bytes - 1)
    assert caught.value.status == Status.RAM_LIMIT
    assert status(octet.Model, octet.convert(_tflite()).data, ram_limit=10) == Status.RAM_LIMIT


def _tflite():
    from conftest import DIGITS
    return DIGITS / "digits.tflite"


def test_all_sources_are_the_same_model(digits_file, tmp_path, pictures):
    path = tmp_path / "digits.octet"
    path.write_bytes(digits_file)
    picture = pictures[0][0]
    wanted = octet.Model(digits_file).session().run(picture)[0]
    grid = np.frombuffer(digits_file, np.uint8).copy()
    for source in (path, str(path), bytearray(digits_file), memoryview(digits_file), grid,
                   b"x" + digits_file, _tflite(), _tflite().read_bytes()):
        if isinstance(source, bytes) and source[:1] == b"x":
            source = memoryview(source)[1:]  # at an odd address
        np.testing.assert_array_equal(octet.Model(source).session().run(picture)[0], wanted)


def test_keeps_its_bytes(digits_file, pictures):
    mine = bytearray(digits_file)
    model = octet.Model(mine)
    wanted = model.session().run(pictures[0][0])[0]
    mine[:] = bytes(len(mine))  # ours is a copy
    del mine
    gc.collect()
    np.testing.assert_array_equal(model.session().run(pictures[0][0])[0], wanted)


def test_isa(digits_file, pictures):
    scalar = octet.Model(digits_file, isa="scalar")
    assert any(step.kernel.endswith("__ref") for step in scalar.steps)
    np.testing.assert_array_equal(scalar.session().run(pictures[0][0])[0],
                                  octet.Model(digits_file).session().run(pictures[0][0])[0])
    assert status(octet.Model, digits_file, isa="abacus") == Status.INVALID_ARGUMENT


def test_wrong_sources(tmp_path, digits_file):
    assert status(octet.Model, tmp_path / "absent.octet") == Status.IO_ERROR
    assert status(octet.Model, tmp_path) == Status.IO_ERROR
    assert status(octet.Model, b"") == Status.INVALID_MODEL
    assert status(octet.Model, bytearray()) == Status.INVALID_MODEL
    assert status(octet.Model, b"neither this nor that") == Status.INVALID_MODEL
    assert status(octet.Model, 7) == Status.INVALID_ARGUMENT
    assert status(octet.Model, None) == Status.INVALID_ARGUMENT
    assert status(octet.Model, "a\0b") == Status.INVALID_ARGUMENT
    assert status(octet.Model, np.zeros((4, 4), np.uint8)[:, ::2]) == Status.INVALID_ARGUMENT
    assert status(octet.Model, digits_file, ram_limit="12 apples") == Status.INVALID_ARGUMENT
    assert status(octet.Model, digits_file, ram_limit=-1) == Status.INVALID_ARGUMENT
    empty = tmp_path / "empty.octet"
    empty.touch()
    assert status(octet.Model, empty) in (Status.INVALID_MODEL, Status.IO_ERROR)


def test_corrupted_bytes(digits_file, pictures):
    """Whatever is wrong with the bytes: an Error, or a model that runs."""
    random = np.random.default_rng(1)
    refused = 0
    for trial in range(300):
        broken = bytearray(digits_file)
        for at in random.integers(0, len(broken), 1 + trial % 4):
            broken[at] ^= 1 << random.integers(8)
        if trial % 3 == 0:
            del broken[random.integers(1, len(broken)):]
        try:
            octet.Model(broken).session().run(pictures[0][0])
        except Error as error:
            refused += 1
            assert error.text
    assert refused > 250  # the file has a checksum


def test_sizes_as_text(digits):
    assert digits.session(ram_limit="64K").memory.total_bytes <= 65536
    digits.session(ram_limit="1GiB")
    with pytest.raises(Error):
        digits.session(ram_limit="1k")


def test_wrong_threads(digits):
    for threads in (0, -1, 5000, 1.5, True, "2"):
        assert status(digits.session, threads=threads) == Status.INVALID_ARGUMENT
        assert status(digits.memory, threads=threads) == Status.INVALID_ARGUMENT


def test_installed_files_are_where_they_belong():
    from octet import _native
    assert _native.file_of_build("liboctet.so", "src").exists()
    assert _native.file_of_build("liboctet_compiler.so", "src").exists()
    assert (pathlib.Path(octet.__file__).parent / "py.typed").exists()
