# SPDX-License-Identifier: MIT
"""What is built on random bytes: numbers, tokens, UUIDs, arrays, trace ids, ours and others'."""

from __future__ import annotations

import string
from collections.abc import Callable
from importlib import import_module

from .peers import AbsentError, Call, Function, Peer

RANDOM, SECRETS, UUID = "random.SystemRandom", "secrets", "uuid"
NUMPY, OPENTELEMETRY = "PCG64 (insecure)", "RandomIdGenerator (insecure)"
"""The peers that the groups' ratios are relative to."""


def _find(module: str, name: str) -> Callable[..., object]:
    found: Callable[..., object] | None = getattr(import_module(module), name, None)
    if not found:
        raise AbsentError(f"this {module} has no {name}")
    return found


def _function(module: str, name: str, *arguments: object) -> Callable[[int], Call]:
    """Bind a function of a module, which is imported when it is needed."""
    return lambda _size: Call(_find(module, name), arguments)


def _new(module: str, name: str) -> Callable[[], object]:
    """Call a class or function of a module, which is imported when it is needed."""

    def make() -> object:
        return _find(module, name)()

    return make


def _method(make: Callable[[], object], name: str, *arguments: object) -> Callable[[int], Call]:
    """Bind a method of an object that is made when it is needed."""

    def bind(_size: int) -> Call:
        thing = make()
        # As the interpreter calls methods: the function with its object, without a bound method.
        return Call(getattr(type(thing), name), (thing, *arguments))

    return bind


# ---- random ----


def _random(label: str, *arguments: object) -> Function:
    name = label.partition("(")[0]
    return Function(
        label,
        (
            Peer(
                "vgetrandom.SystemRandom",
                _method(_new("vgetrandom", "SystemRandom"), name, *arguments),
            ),
            Peer(RANDOM, _method(_new("random", "SystemRandom"), name, *arguments)),
            Peer("random.Random (insecure)", _method(_new("random", "Random"), name, *arguments)),
        ),
    )


RANDOM_FUNCTIONS = (
    _random("random()"),
    _random("getrandbits(64)", 64),
    _random("randbytes(16)", 16),
    _random("randrange(1000)", 1000),
    _random("randint(1, 6)", 1, 6),
    _random("choice(a list)", list(range(1000))),
    _random("uniform(0, 1)", 0, 1),
    _random("shuffle(1,000 items)", list(range(1000))),
    _random("sample(range(100), 10)", range(100), 10),
)


# ---- secrets ----

_ALPHABET = string.ascii_letters + string.digits


def _choices(_size: int) -> Call:
    from secrets import choice

    # What frameworks do instead, such as Django's get_random_string.
    return Call(lambda: "".join(choice(_ALPHABET) for _ in range(32)), ())


def _secrets(label: str, *arguments: object) -> Function:
    name = label.partition("(")[0]
    return Function(
        label,
        (
            Peer("vgetrandom.secrets", _function("vgetrandom.secrets", name, *arguments)),
            Peer(SECRETS, _function("secrets", name, *arguments)),
        ),
    )


SECRETS_FUNCTIONS = (
    _secrets("token_bytes()"),
    _secrets("token_hex(16)", 16),
    _secrets("token_urlsafe(32)", 32),
    _secrets("randbelow(1000)", 1000),
    _secrets("randbits(128)", 128),
    _secrets("choice(62 characters)", _ALPHABET),
    Function(
        "token_string(62 characters, 32)",
        (
            Peer(
                "vgetrandom.secrets", _function("vgetrandom.secrets", "token_string", _ALPHABET, 32)
            ),
            Peer(SECRETS, _choices),
        ),
    ),
)


# ---- uuid ----


def _text_of(module: str, name: str) -> Callable[[int], Call]:
    def bind(_size: int) -> Call:
        make = _find(module, name)
        return Call(lambda: str(make()), ())

    return bind


def _uuid(number: int) -> tuple[Function, ...]:
    ours, hyper = f"uuid{number}", f"new_v{number}"
    others = (
        (UUID, "uuid", ours),
        ("uuid_utils.compat", "uuid_utils.compat", ours),
        ("hyperuuid", "hyperuuid", hyper),
    )
    return (
        Function(
            f"{ours}()",
            (
                Peer("vgetrandom", _function("vgetrandom", ours)),
                *(Peer(name, _function(module, function)) for name, module, function in others),
            ),
        ),
        Function(
            f"{ours}_str()",
            (
                Peer("vgetrandom", _function("vgetrandom", f"{ours}_str")),
                # They have no such function, so the object is converted.
                *(Peer(name, _text_of(module, function)) for name, module, function in others),
            ),
        ),
    )


UUID_FUNCTIONS = (*_uuid(4), *_uuid(7))


# ---- numpy ----

_NUMBERS = 1 << 16


def _generator(module: str, name: str) -> Callable[[], object]:
    """NumPy's own Generator on a bit generator, which it calls for each word."""
    return lambda: _find("numpy.random", "Generator")(_find(module, name)())


_GENERATORS = (
    ("vgetrandom.numpy.default_rng", _new("vgetrandom.numpy", "default_rng")),
    ("vgetrandom.numpy word by word", _generator("vgetrandom.numpy", "SystemBitGenerator")),
    (NUMPY, _new("numpy.random", "default_rng")),
    ("MT19937 (insecure)", _generator("numpy.random", "MT19937")),
)


def _into_array(make: Callable[[], object], name: str) -> Callable[[int], Call]:
    def bind(size: int) -> Call:
        from numpy import empty, float64

        return _method(make, name, None, float64, empty(_NUMBERS))(size)

    return bind


def _numpy(label: str, *arguments: object) -> Function:
    name = label.partition("(")[0]
    return Function(
        label, tuple(Peer(who, _method(make, name, *arguments)) for who, make in _GENERATORS)
    )


def _doubles(name: str) -> Function:
    return Function(
        f"{name}(65,536 doubles)",
        tuple(Peer(who, _into_array(make, name)) for who, make in _GENERATORS),
    )


NUMPY_FUNCTIONS = (
    _doubles("random"),
    _doubles("standard_normal"),
    _numpy("integers(0, 1000, 65,536)", 0, 1000, _NUMBERS),
    _numpy("bytes(1 MiB)", 1 << 20),
    _numpy("random()"),
)


# ---- opentelemetry ----


def _ids(name: str) -> Function:
    ours = _new("vgetrandom.opentelemetry", "IdGenerator")
    theirs = _new("opentelemetry.sdk.trace.id_generator", "RandomIdGenerator")
    peer = Peer("vgetrandom.opentelemetry", _method(ours, name))
    return Function(f"{name}()", (peer, Peer(OPENTELEMETRY, _method(theirs, name))))


OPENTELEMETRY_FUNCTIONS = (_ids("generate_span_id"), _ids("generate_trace_id"))
