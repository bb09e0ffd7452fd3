# SPDX-License-Identifier: MIT
from typing import SupportsIndex

from vgetrandom._typing import Buffer

__version__: str

def random_bytes(size: SupportsIndex, /) -> bytes: ...
def random_bytes_into(buffer: Buffer, /) -> None: ...
def linked() -> tuple[str, dict[str, int]]: ...
