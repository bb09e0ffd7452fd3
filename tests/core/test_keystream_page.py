# SPDX-License-Identifier: MIT
"""docs/keystream.md is right: its code and its vectors, held against every set."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from support.libraries import ROOT, chacha20_sets, hooked
from support.reference import BLOCK_BYTES, GROUP_BYTES, standard

KEY = bytes(range(32))
NONCE = int.from_bytes(bytes(range(0x40, 0x48)), "little")
PAGE = ROOT / "docs" / "keystream.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not here")


def vectors() -> list[tuple[int, int, str]]:
    rows = re.findall(r"^\| (\d+) \| (\d+) \| `([0-9a-f]{64})` \|$", PAGE.read_text(), re.MULTILINE)
    return [(int(counter), int(groups), digest) for counter, groups, digest in rows]


def computed(number: int, groups: int, counter: int) -> bytes:
    ffi, lib = hooked()
    out = ffi.new("uint8_t[]", groups * GROUP_BYTES)
    lib.hook_chacha20_keystream(number, out, groups, KEY, counter, NONCE)
    return bytes(ffi.buffer(out))


@pytest.mark.parametrize("name", chacha20_sets(supported=True))
def test_its_vectors_are_those_of_every_set(name: str) -> None:
    assert len(vectors()) == 3
    for counter, groups, digest in vectors():
        run = computed(chacha20_sets()[name], groups, counter)
        assert hashlib.sha256(run).hexdigest() == digest
    first, last = re.findall(r"^```text\n(.*?)```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    group = computed(chacha20_sets()[name], 1, 0)
    assert group[:64] == bytes.fromhex(first)
    assert group[-64:] == bytes.fromhex(last)


def test_its_code_computes_its_vectors() -> None:
    (code,) = re.findall(r"^```python\n(.*?)```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)

    def block(key: bytes, counter: int, nonce: int) -> bytes:
        return standard(key, BLOCK_BYTES, counter, nonce)

    for counter, groups, digest in vectors():
        run = names["keystream"](block, KEY, groups, counter, NONCE)
        assert hashlib.sha256(run).hexdigest() == digest
