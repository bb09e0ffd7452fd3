# SPDX-License-Identifier: MIT
"""random_bytes() and random_bytes_into(): what they accept, and what they do when they cannot."""

from __future__ import annotations

import array
import ctypes
import errno
import inspect
import mmap
import os
import resource
import signal
import sys
import threading
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import vgetrandom
from support.bindings import BINDINGS, through_cffi
from support.running import finish, in_child, read_all
from support.seccomp import refuse
from support.windows import assert_unrelated

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=BINDINGS, ids=lambda module: module.__name__)
def api(request: pytest.FixtureRequest) -> Any:
    return request.param


class Index:
    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Index({self.value!r})"

    def __index__(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Int(int):
    pass


def test_the_public_functions_are_the_fast_ones() -> None:
    assert vgetrandom.random_bytes is BINDINGS[-1].random_bytes
    assert vgetrandom.random_bytes_into is BINDINGS[-1].random_bytes_into


# --- random_bytes ---


@pytest.mark.parametrize("size", [0, 1, 2, 15, 16, 17, 255, 256, 257, 4096, 8191, 8192, 100_000])
def test_length(api: Any, size: int) -> None:
    data = api.random_bytes(size)
    assert type(data) is bytes
    assert len(data) == size
    if size >= 15:
        assert len(set(data)) > 1
        assert data != api.random_bytes(size)


# Index(True) and Index(Int(3)) are on their way out, here as there.
@pytest.mark.filterwarnings("ignore:__index__ returned non-int:DeprecationWarning")
@pytest.mark.parametrize(
    "size", [True, False, Int(5), Index(5), Index(0), Index(value=True), Index(Int(3))], ids=repr
)
def test_accepts_what_urandom_accepts(api: Any, size: Any) -> None:
    assert len(api.random_bytes(size)) == len(os.urandom(size))


REFUSED: list[Any] = [
    -1,
    -(2**31),
    -sys.maxsize,
    -sys.maxsize - 1,
    -(2**63) - 1,
    -(2**70),
    2**63,
    2**64,
    2**70,
    None,
    1.0,
    float("nan"),
    1j,
    "16",
    b"16",
    [],
    (1,),
    object,
    Decimal(1),
    Fraction(1),
    Index(-1),
    Index(2**63),
    Index(-(2**70)),
    Index("1"),
    Index(None),
    Index(1.0),
    Index(ZeroDivisionError("within")),
]


@pytest.mark.parametrize("size", REFUSED, ids=lambda size: f"{type(size).__name__}({size!r:.24})")
def test_refuses_what_urandom_refuses(api: Any, size: Any) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011
        os.urandom(size)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        api.random_bytes(size)
    assert caught.type is expected.type
    if expected.type is not OverflowError:
        assert str(caught.value) == str(expected.value)


@pytest.mark.parametrize("size", [sys.maxsize, sys.maxsize - 100, 2**62, 2**47])
def test_more_than_there_is_memory_for(api: Any, size: int) -> None:
    with pytest.raises((OverflowError, MemoryError)):
        api.random_bytes(size)


@pytest.mark.parametrize("arguments", [(), (1, 2)])
@pytest.mark.parametrize("function", ["random_bytes", "random_bytes_into"])
def test_takes_one_argument(api: Any, function: str, arguments: tuple[int, ...]) -> None:
    with pytest.raises(TypeError):
        getattr(api, function)(*arguments)


def test_takes_it_by_position_only(api: Any) -> None:
    with pytest.raises(TypeError):
        api.random_bytes(size=1)
    with pytest.raises(TypeError):
        api.random_bytes_into(buffer=bytearray(1))


def test_tells_its_arguments(api: Any) -> None:
    for name, parameter in (("random_bytes", "size"), ("random_bytes_into", "buffer")):
        function = getattr(api, name)
        assert list(inspect.signature(function).parameters) == [parameter]
        assert function.__doc__


def test_every_length_up_to_four_batches(api: Any) -> None:
    batch = vgetrandom.info().batch_bytes or 1000
    for size in range(4 * batch + 1):
        data = api.random_bytes(size)
        assert len(data) == size
        # The chance that this fails for random bytes is 2^-64 per length.
        assert size < 8 or any(data[-8:])


# --- random_bytes_into ---


class Exporter(ctypes.Structure):
    _fields_ = (("numbers", ctypes.c_uint16 * 8), ("more", ctypes.c_double))


def shared_memory(size: int) -> mmap.mmap:
    return mmap.mmap(-1, size)


WRITABLE: dict[str, Callable[[], Any]] = {
    "bytearray": lambda: bytearray(48),
    "memoryview": lambda: memoryview(bytearray(48)),
    "slice": lambda: memoryview(bytearray(100))[10:58],
    "array of I": lambda: array.array("I", [0] * 12),
    "array of d": lambda: array.array("d", [0.0] * 6),
    "cast to two dimensions": lambda: memoryview(bytearray(48)).cast("B", (6, 8)),
    "cast to three dimensions": lambda: memoryview(bytearray(48)).cast("I", (2, 3, 2)),
    "one item": lambda: memoryview(bytearray(48))[0:1].cast("B", ()),
    "ctypes": Exporter,
    "ctypes array": ctypes.c_uint64 * 6,
    "mmap": lambda: shared_memory(48),
}


@pytest.mark.parametrize("make", WRITABLE.values(), ids=WRITABLE)
def test_fills_any_buffer_bytewise(api: Any, make: Callable[[], Any]) -> None:
    seen = set()
    for _ in range(64):
        buffer = make()
        assert api.random_bytes_into(buffer) is None
        with memoryview(buffer) as view:
            seen.add(view.tobytes())
    columns = list(zip(*seen, strict=True))
    # Each byte, the first and the last as well, is another one now and then.
    assert all(len(set(column)) > 1 for column in columns)


EMPTY: dict[str, Callable[[], Any]] = {
    "bytearray": bytearray,
    "memoryview": lambda: memoryview(bytearray()),
    "array": lambda: array.array("I"),
    "a shape with a zero": lambda: memoryview(bytearray()).cast("B"),
    "empty slice with a step": lambda: memoryview(bytearray(9))[5:5],
    "ctypes": ctypes.c_uint64 * 0,
}


@pytest.mark.parametrize("make", EMPTY.values(), ids=EMPTY)
def test_an_empty_buffer_is_fine(api: Any, make: Callable[[], Any]) -> None:
    assert api.random_bytes_into(make()) is None


REFUSED_BUFFERS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"16",
    "empty bytes": bytes,
    "read-only memoryview": lambda: memoryview(bytearray(16)).toreadonly(),
    "read-only mmap": lambda: mmap.mmap(-1, 16, prot=mmap.PROT_READ),
    "not contiguous": lambda: memoryview(bytearray(16))[::2],
    "backwards": lambda: memoryview(bytearray(16))[::-1],
    "read-only and not contiguous": lambda: memoryview(bytes(16))[::2],
    "str": lambda: "16",
    "int": lambda: 16,
    "float": lambda: 1.0,
    "None": lambda: None,
    "list": lambda: [0] * 16,
    "object": object,
    "type": lambda: bytearray,
}


@pytest.mark.parametrize("make", REFUSED_BUFFERS.values(), ids=REFUSED_BUFFERS)
def test_refuses_what_is_no_writable_contiguous_buffer(api: Any, make: Callable[[], Any]) -> None:
    buffer = make()
    with pytest.raises(TypeError, match="contiguous read-write bytes-like object"):
        api.random_bytes_into(buffer)
    if isinstance(buffer, (bytes, memoryview)):
        assert bytes(buffer).strip(b"\0") in (b"", b"16")


def test_a_closed_mmap(api: Any) -> None:
    memory = shared_memory(16)
    memory.close()
    with pytest.raises(ValueError, match="closed"):
        api.random_bytes_into(memory)


def test_a_released_memoryview(api: Any) -> None:
    view = memoryview(bytearray(16))
    view.release()
    with pytest.raises(ValueError, match="released"):
        api.random_bytes_into(view)


def test_leaves_what_is_beside_it(api: Any) -> None:
    for size in (1, 7, 16, 300, 5000, 70_000):
        data = bytearray(size + 64)
        api.random_bytes_into(memoryview(data)[32 : 32 + size])
        assert data[:32] == data[-32:] == bytes(32)


def test_lets_go_of_the_buffer(api: Any) -> None:
    data = bytearray(16)
    api.random_bytes_into(data)
    data.append(1)  # an exported buffer would not grow


def test_a_fortran_ordered_array(api: Any) -> None:
    numpy = pytest.importorskip("numpy", reason="NumPy is not installed: no Fortran order")
    if api.__name__ == "vgetrandom._core":
        pytest.skip("cffi takes no Fortran order")
    data = numpy.zeros((8, 8), dtype="u8", order="F")
    api.random_bytes_into(data)
    assert (data != 0).all()
    with pytest.raises(TypeError):
        api.random_bytes_into(numpy.zeros((8, 8), dtype="u8")[:, ::2])


# --- a kernel that fails ---


def error_and_contents(api: Any, size: int, error: int) -> bytes:
    """In a child: what is raised when getrandom is refused, and what the buffer has then."""
    vgetrandom.random_bytes(16)
    buffer = bytearray(b"\xa5" * size)
    try:
        refuse("getrandom", error)
    except OSError as refused:
        return f"skip {refused}".encode()
    vgetrandom.reseed()
    try:
        api.random_bytes(size)
    except OSError as raised:
        first = raised
    vgetrandom.reseed()
    try:
        api.random_bytes_into(buffer)
    except OSError as raised:
        zeros = buffer == bytes(size)
        return f"{first.errno} {raised.errno} {raised.strerror} {zeros}".encode()
    return b"nothing was raised"


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS, errno.EAGAIN])
@pytest.mark.parametrize("size", [16, 5000, 100_000])
def test_getrandom_fails(api: Any, size: int, error: int) -> None:
    answer = in_child(lambda: error_and_contents(api, size, error)).decode()
    if answer.startswith("skip"):
        pytest.skip(answer)
    assert answer == f"{error} {error} {os.strerror(error)} True"


@pytest.mark.skipif(vgetrandom.info().memory == "none", reason="no states are kept")
def test_what_is_in_the_batch_needs_no_kernel(api: Any) -> None:
    def draw() -> bytes:
        api.random_bytes(16)
        refuse("getrandom", errno.EPERM)
        data: bytes = api.random_bytes(16)
        return data

    assert len(in_child(draw)) == 16


# --- signals ---


def when_refilled(action: Callable[[], object], refills: int = 200) -> threading.Thread:
    """Act as soon as a large request is on its way: so many refills from now."""
    start = vgetrandom.stats()
    stop = threading.Event()

    def wait() -> None:
        while not stop.is_set():
            stats = vgetrandom.stats()
            if stats.refills + stats.fallbacks - start.refills - start.fallbacks >= refills:
                action()
                return

    thread = threading.Thread(target=wait)
    thread.stop = stop  # type: ignore[attr-defined]
    thread.start()
    return thread


needs_refills = pytest.mark.skipif(
    vgetrandom.info().memory == "none", reason="no states: no refills to tell how far a draw is"
)


@needs_refills
def test_ctrl_c_in_the_middle_of_8_gib() -> None:
    before = vgetrandom.stats().refills
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    thread = when_refilled(lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt):
            vgetrandom.random_bytes(8 << 30)
    except MemoryError:
        pytest.skip("this machine does not even promise 8 GiB")
    finally:
        thread.stop.set()  # type: ignore[attr-defined]
        thread.join()
    # Long before its end: 64 KiB or less are a refill, and what was not drawn yet is not touched.
    assert vgetrandom.stats().refills - before < (8 << 30) // (64 << 10) // 2
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert kibibytes < 4 << 20


@needs_refills
@pytest.mark.parametrize("binding", BINDINGS, ids=lambda module: module.__name__)
def test_ctrl_c_leaves_nothing_in_the_buffer(binding: Any) -> None:
    memory = shared_memory(1 << 30)
    thread = when_refilled(lambda: os.kill(os.getpid(), signal.SIGINT))
    interrupted = False
    try:
        binding.random_bytes_into(memory)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        thread.stop.set()  # type: ignore[attr-defined]
        thread.join()
    if interrupted:
        assert memory[: 1 << 20] == bytes(1 << 20)
        assert memory[200 * 64 << 10 : 300 * 64 << 10].strip(b"\0") == b""


def test_signal_handlers_run_in_between(api: Any) -> None:
    ran = []
    previous = signal.signal(signal.SIGALRM, lambda *_: ran.append(vgetrandom.random_bytes(16)))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.01)
        data = api.random_bytes(64 << 20)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert ran
    assert len(data) == 64 << 20
    assert not any(piece in data for piece in ran[:3])


def test_the_kernel_fails_after_some_chunks(api: Any) -> None:
    """A handler between two chunks shuts the kernel off: nothing of the first is left."""

    def interrupted() -> bytes:
        vgetrandom.random_bytes(16)
        vgetrandom.reseed()

        def shut_off(*_: object) -> None:
            refuse("getrandom", errno.EPERM)
            vgetrandom.reseed()

        signal.signal(signal.SIGALRM, shut_off)
        memory = shared_memory(256 << 20)
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        try:
            api.random_bytes_into(memory)
        except OSError as error:
            touched = any(memory[at] for at in range(0, 256 << 20, 4097))
            return f"{error.errno} {touched}".encode()
        return b"not interrupted"

    answer = in_child(interrupted)
    if answer == b"not interrupted":
        pytest.skip("the timer did not come in time")
    assert answer == f"{errno.EPERM} False".encode()


def common(parent: bytes, child: bytes, stride: int) -> int:
    """How many of the parent's 16 bytes at multiples of `stride` the child has too, at any 16."""
    wanted = {parent[at : at + 16] for at in range(0, len(parent) - 15, stride)}
    return sum(child[at : at + 16] in wanted for at in range(0, len(child) - 15, 16))


@needs_refills
def test_a_signal_handler_forks_in_the_middle(api: Any) -> None:
    """Child and parent both go on with the draw that was interrupted; they share nothing."""
    size = 48 << 20
    for _ in range(20):
        children: list[int] = []
        shared = shared_memory(size)

        def fork(*_: object) -> None:
            if not children:  # noqa: B023
                children.append(os.fork())  # noqa: B023

        previous = signal.signal(signal.SIGUSR1, fork)
        thread = when_refilled(lambda: os.kill(os.getpid(), signal.SIGUSR1), refills=50)
        data = api.random_bytes(size)
        in_the_middle = bool(children)
        if children == [0]:
            shared[:] = data
            os._exit(0)
        thread.stop.set()  # type: ignore[attr-defined]
        thread.join()
        signal.signal(signal.SIGUSR1, previous)
        if in_the_middle:
            break
    assert in_the_middle, "the signal never came before the draw's end"
    assert os.waitpid(children[0], 0)[1] == 0
    assert any(shared[:16])
    assert common(data, shared[:], stride=512) == 0
    assert common(shared[:], data, stride=512) == 0


def test_a_fork_while_the_result_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a signal handler, which Python runs between any two of its steps."""
    core = through_cffi()
    children: list[int] = []
    receiver, sender = os.pipe()

    def fork_at_copying(source: Any) -> bytes:
        if not children:
            children.append(os.fork())
        return bytes(source)

    monkeypatch.setattr(core, "bytes", fork_at_copying, raising=False)
    data = core.random_bytes(48)
    if children == [0]:
        os.write(sender, data)
        os._exit(0)
    os.close(sender)
    child = read_all(receiver)
    finish(children[0])
    assert len(child) == 48
    assert_unrelated(data, child)
