import gc
import threading
import weakref

import numpy as np
import pytest

import octet
from conftest import recorded
from octet import Error, Status


@pytest.fixture
def session(digits):
    return digits.session()


def test_reads_the_digits(session, pictures):
    assert len(pictures) == 60
    right = sum(int(session.run(picture)[0].argmax()) == label for picture, label in pictures)
    assert right == 60


def test_ways_to_hand_over_inputs(session, pictures):
    picture = pictures[3][0]
    wanted = session.run(picture)[0]
    name = session.inputs[0].name
    strided = np.zeros((1, 8, 8, 2), np.int8)
    strided[..., :1] = picture
    for inputs in ({name: picture}, {0: picture}, [picture], (picture,), np.asfortranarray(picture),
                   strided[..., :1], memoryview(picture)):
        session.input()[...] = 0
        outputs = session.run(inputs)
        np.testing.assert_array_equal(outputs[0], wanted)
    np.testing.assert_array_equal(outputs[session.outputs[0].name], wanted)
    assert len(outputs) == 1 and list(outputs)[0] is outputs[0]
    session.set_input(name, picture)
    np.testing.assert_array_equal(session.run()[0], wanted)
    session.input(name)[...] = picture
    np.testing.assert_array_equal(session.run()[0], wanted)


def test_outputs_are_copies_unless_asked(session, pictures):
    first = session.run(pictures[0][0])[0]
    kept = first.copy()
    in_place = session.run(pictures[1][0], copy=False)[0]
    np.testing.assert_array_equal(first, kept)
    assert first.flags.owndata and first.flags.writeable
    assert not in_place.flags.owndata and not in_place.flags.writeable
    with pytest.raises(ValueError):
        in_place[0, 0] = 1
    with pytest.raises(ValueError):
        in_place.setflags(write=True)
    # The same memory each time, and that of the session.
    again = session.run(pictures[0][0], copy=False)[0]
    assert again.ctypes.data == in_place.ctypes.data == session.output().ctypes.data
    np.testing.assert_array_equal(in_place, kept)


def test_inputs_in_place(session):
    view = session.input()
    assert view.flags.writeable and not view.flags.owndata
    assert view.ctypes.data == session.input(session.inputs[0].name).ctypes.data
    assert view.shape == (1, 8, 8, 1) and view.dtype == np.int8


def test_an_output_may_be_the_next_input():
    """Overlap of an array in place with the input it is copied to."""
    found = recorded("zoo/absneg_abs_int8")
    if not found:
        pytest.skip("no test data")
    session = octet.Model(found[0] / "model.tflite").session()
    values = np.arange(session.inputs[0].nbytes).astype(np.int8).reshape(session.inputs[0].shape)
    once = session.run(values)[0]
    wanted = session.run(once)[0]
    session.run(values)
    np.testing.assert_array_equal(session.run(session.output())[0], wanted)


@pytest.mark.parametrize("inputs", [
    np.zeros((1, 8, 8, 1), np.uint8), np.zeros((1, 8, 8, 1), np.float32), np.zeros((8, 8), np.int8),
    np.zeros((1, 64), np.int8), np.zeros((2, 8, 8, 1), np.int8), np.int8(0), "text", 5, [[1, 2]],
    [], [np.zeros((1, 8, 8, 1), np.int8)] * 2, {}, {"nobody": np.zeros((1, 8, 8, 1), np.int8)},
    {1: np.zeros((1, 8, 8, 1), np.int8)}, {-1: np.zeros((1, 8, 8, 1), np.int8)},
    {None: np.zeros((1, 8, 8, 1), np.int8)}, [None], object(),
    np.zeros((1, 8, 8, 1), [("a", np.int8)]),
], ids=str)
def test_wrong_inputs(session, inputs):
    with pytest.raises(Error) as caught:
        session.run(inputs)
    assert caught.value.status == Status.INVALID_ARGUMENT
    assert "INVALID_ARGUMENT" in str(caught.value)


def test_messages_name_what_is_wrong(session):
    with pytest.raises(Error, match=r'"picture" has shape \(1, 8, 8, 1\), not \(8, 8\)'):
        session.run(np.zeros((8, 8), np.int8))
    with pytest.raises(Error, match="quantise"):
        session.run(np.zeros((1, 8, 8, 1), np.float32))
    with pytest.raises(Error, match='no output is named "x"; there are "scores"'):
        session.output("x")
    with pytest.raises(Error, match='no array for input 0 "picture"'):
        session.run({})


def test_profile(digits, pictures):
    session = digits.session(profile=True)
    session.run(pictures[0][0])
    times = session.profile()
    assert [t.step for t in times] == list(digits.steps)
    assert sum(t.nanoseconds for t in times) > 0
    with pytest.raises(Error):
        digits.session().profile()


def test_threads_within_a_run_do_not_change_bytes(digits, pictures):
    session = digits.session(threads=2)
    assert session.memory == digits.memory(threads=2)
    one = digits.session()
    for picture, _ in pictures[:10]:
        np.testing.assert_array_equal(session.run(picture)[0], one.run(picture)[0])


# ---- Lifetimes -----------------------------------------------------------------------------------


@pytest.fixture
def destroyed(monkeypatch):
    """The order in which handles go."""
    order = []
    for name in ("model", "session"):
        original = getattr(octet._native.runtime, name + "_destroy")

        def destroy(handle, name=name, original=original):
            order.append(name)
            original(handle)
        monkeypatch.setattr(octet._native.runtime, name + "_destroy", destroy)
    return order


def test_session_outlives_the_model_object(digits_file, pictures, destroyed):
    model = octet.Model(digits_file)
    session = model.session()
    wanted = session.run(pictures[0][0])[0]
    del model
    gc.collect()
    np.testing.assert_array_equal(session.run(pictures[0][0])[0], wanted)
    assert destroyed == []
    del session
    gc.collect()
    assert destroyed == ["session", "model"]


def test_views_keep_the_session_alive(digits_file, pictures, destroyed):
    session = octet.Model(digits_file).session()
    wanted = session.run(pictures[0][0])[0]
    output = session.run(pictures[0][0], copy=False)[0]
    part = output.reshape(-1)[2:5]
    view = session.input()
    del session, output
    gc.collect()
    assert destroyed == []
    np.testing.assert_array_equal(part, wanted.reshape(-1)[2:5])
    view[...] = 1  # still memory of ours
    del part
    assert destroyed == []
    del view
    assert destroyed == ["session", "model"]


def test_close(digits_file, pictures, destroyed):
    with octet.Model(digits_file).session() as session:
        output = session.run(pictures[0][0], copy=False)[0]
        value = output.copy()
    for call in (session.run, session.input, session.output, session.profile, session.reset_state):
        with pytest.raises(Error, match="closed"):
            call()
    session.close()  # again
    np.testing.assert_array_equal(output, value)
    assert destroyed == []
    del output
    assert destroyed == ["session"]
    assert session.memory.total_bytes > 0  # known all the same


def test_cycles_are_collected(digits_file, destroyed):
    class Holder:
        pass

    holder = Holder()
    holder.model = octet.Model(digits_file)
    holder.session = holder.model.session()
    holder.view = holder.session.input()
    holder.session.holder = holder.model.holder = holder
    gone = weakref.ref(holder)
    del holder
    gc.collect()
    assert gone() is None
    assert destroyed == ["session", "model"]


def test_failed_construction_leaves_nothing(digits_file, destroyed):
    model = octet.Model(digits_file)
    for _ in range(3):
        with pytest.raises(Error):
            model.session(ram_limit=1)
        with pytest.raises(Error):
            octet.Model(digits_file, isa="abacus")
    del model
    gc.collect()
    assert destroyed == ["model"]


# ---- Threads -------------------------------------------------------------------------------------


def in_threads(count, work):
    problems = []

    def guarded(i):
        try:
            work(i)
        except BaseException as error:  # noqa: BLE001
            problems.append(error)
    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert problems == []


def test_sessions_in_threads_share_a_model(digits, pictures):
    one = digits.session()
    wanted = [one.run(picture)[0] for picture, _ in pictures]

    def work(i):
        session = digits.session()
        for _ in range(20):
            for (picture, _), want in zip(pictures[i::4], wanted[i::4]):
                np.testing.assert_array_equal(session.run(picture)[0], want)
    in_threads(4, work)


def test_threads_take_turns_on_one_session(session, pictures):
    wanted = [session.run(picture)[0] for picture, _ in pictures]

    def work(i):
        for _ in range(20):
            for (picture, _), want in zip(pictures[i::4], wanted[i::4]):
                np.testing.assert_array_equal(session.run(picture)[0], want)
    in_threads(4, work)


def test_errors_belong_to_their_thread(digits_file):
    def work(i):
        for _ in range(200):
            with pytest.raises(Error, match=f"thread{i}"):
                octet.Model(digits_file, isa=f"thread{i}")
    in_threads(4, work)


def test_models_come_and_go_in_threads(digits_file, pictures):
    def work(i):
        for _ in range(50):
            octet.Model(digits_file).session().run(pictures[i][0])
    in_threads(4, work)


# ---- Inputs by rows ------------------------------------------------------------------------------


@pytest.fixture
def by_rows(tflite):
    return octet.Model(octet.convert(tflite, row_input=True, optimize="ram").data)


def test_row_source(by_rows, session, pictures):
    picture = pictures[5][0]
    wanted = session.run(picture)[0]
    assert by_rows.inputs[0].by_rows
    fed = by_rows.session()
    asked, kept = [], []

    def source(row, into):
        asked.append(row)
        kept.append(into)
        into[...] = picture[0, row]
    fed.set_row_source(0, source)
    for _ in range(2):
        np.testing.assert_array_equal(fed.run()[0], wanted)
    assert asked == list(range(8)) * 2
    del fed
    gc.collect()
    for into in kept:  # an array that is kept is memory still
        into[...] = 0
    # A whole array does as well, for one run.
    fed = by_rows.session()
    np.testing.assert_array_equal(fed.run(picture)[0], wanted)
    with pytest.raises(Error, match="neither rows nor a row source"):
        fed.run()
    with pytest.raises(Error, match="row by row"):
        fed.input()


def test_row_source_that_raises(by_rows, pictures):
    fed = by_rows.session()

    def source(row, into):
        if row == 3:
            raise KeyError("no such row")
    fed.set_row_source("picture", source)
    with pytest.raises(KeyError, match="no such row"):
        fed.run()

    def greedy(row, into):
        fed.run()
    fed.set_row_source("picture", greedy)
    with pytest.raises(Error, match="the session is running"):
        fed.run()
    fed.set_row_source("picture", None)
    assert fed.run(pictures[0][0])[0].shape == (1, 10)


def test_row_source_of_a_whole_input(session):
    with pytest.raises(Error, match="does not come row by row"):
        session.set_row_source(0, lambda row, into: None)
