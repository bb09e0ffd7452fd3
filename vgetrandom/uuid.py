# SPDX-License-Identifier: MIT
"""Random UUIDs (RFC 9562): `uuid4`, `uuid7`, and their text without the object.

The objects are ordinary `uuid.UUID` objects. The class's constructor takes ten times as long as the
random bytes, so it is bypassed if a trial at import shows that such an object cannot be told from a
constructed one; otherwise the constructor is called.
"""

from __future__ import annotations

import pickle
import sys
import time
from uuid import UUID, SafeUUID

__all__ = ["uuid4", "uuid4_str", "uuid7", "uuid7_str"]

TYPE_CHECKING = False
_SAMPLE = bytes.fromhex("0190b0a5f3c87abc8def0123456789ab")


def _is_like_a_constructed_one() -> bool:
    """Try to make one without the constructor."""
    try:
        _dropins.use_uuid(UUID, SafeUUID.unknown)
        short, constructed = _dropins.uuid_of(_SAMPLE), UUID(bytes=_SAMPLE)
        return (
            type(short) is type(constructed)
            and short == constructed
            and hash(short) == hash(constructed)
            and repr(short) == repr(constructed)
            and short.is_safe is constructed.is_safe
            and pickle.dumps(short) == pickle.dumps(constructed)
            and set(getattr(UUID, "__slots__", ())) <= {"int", "is_safe", "__weakref__"}
        )
    except (AttributeError, TypeError, RuntimeError):
        return False


if TYPE_CHECKING or sys.implementation.name == "cpython":
    from vgetrandom import _dropins
    from vgetrandom._dropins import uuid4_bytes, uuid4_str, uuid7_bytes, uuid7_str

    _short_way = _is_like_a_constructed_one()
else:
    from vgetrandom import random_bytes

    _short_way = False
    # Ticks that were given out. Adding one is a single operation of the interpreter, so no lock is
    # needed, which a fork could leave held. When the oldest are forgotten, no tick up to the last
    # forgotten one is given out any more.
    _MOST_TICKS = 8192
    _ticks: dict[int, list[int]] = {}
    _last = _forgotten = 0

    def _forget() -> None:
        global _forgotten  # noqa: PLW0603
        # A copy in one operation, because other threads add ticks meanwhile.
        oldest = sorted(list(_ticks))[: _MOST_TICKS // 2]  # noqa: C414
        # Set first, so that a thread which takes a tick that is removed below notices.
        _forgotten = max(_forgotten, oldest[-1])
        for tick in oldest:
            _ticks.pop(tick, None)

    def _next_tick() -> int:
        global _last  # noqa: PLW0603
        now = time.time_ns()
        tick = now // 10**6 << 12 | (now % 10**6 << 12) // 10**6
        while True:
            tick = max(tick, _last + 1, _forgotten + 1)
            mine = [tick]
            taken = _ticks.setdefault(tick, mine) is mine
            _last = max(_last, tick)
            if taken and tick > _forgotten:
                break
        if len(_ticks) > _MOST_TICKS:
            _forget()
        return tick

    def uuid4_bytes() -> bytes:
        """Return the bytes of a random UUID of version 4."""
        number = int.from_bytes(random_bytes(16), "big")
        number = number & ~(0xF << 76 | 3 << 62) | 4 << 76 | 2 << 62
        return number.to_bytes(16, "big")

    def uuid7_bytes() -> bytes:
        """Return the bytes of a UUID of version 7."""
        tick = _next_tick()
        tail = int.from_bytes(random_bytes(8), "big") >> 2 | 2 << 62
        head = tick >> 12 << 16 | 7 << 12 | tick & 0xFFF
        return (head << 64 | tail).to_bytes(16, "big")

    def _text(data: bytes) -> str:
        text = data.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def uuid4_str() -> str:
        """Return ``str(uuid4())``, without the object."""
        return _text(uuid4_bytes())

    def uuid7_str() -> str:
        """Return ``str(uuid7())``, without the object."""
        return _text(uuid7_bytes())


if TYPE_CHECKING or _short_way:
    from vgetrandom._dropins import uuid4, uuid7
else:

    def uuid4() -> UUID:
        """Return a random UUID (RFC 9562, version 4)."""
        return UUID(bytes=uuid4_bytes())

    def uuid7() -> UUID:
        """Return a UUID that begins with the time (RFC 9562, version 7)."""
        return UUID(bytes=uuid7_bytes())
