# SPDX-License-Identifier: MIT
"""What info() and stats() return: plain values that can be pickled, copied and compared.

They may outlive the process that they describe, so nothing in them refers to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

__all__ = ["Info", "Reseeds", "Stats"]


@dataclass(frozen=True, slots=True)
class Info:
    """What is in use on this machine.

    Attributes:
        chacha20 (str): The instruction set: "avx512", "avx2", "sse2", "neon" or "portable".
        memory (str): Where the calling thread's state lives: "droppable" (MAP_DROPPABLE: all
            guarantees hold), "wipe-on-fork" (MADV_WIPEONFORK: notes say whether it can be
            swapped), or "none" (there is no state, and every request is a system call).
        kernel_entropy (str): What every refill mixes in: "vdso" or "syscall".
        watch (str): What reveals that the kernel reseeded or the virtual machine was cloned:
            "vdso-generation", "vmclock" or "none".
        clones (str): What can report a clone of this virtual machine: "vmgenid" (the kernel's
            driver has a device, but nothing shows whether the hypervisor changes the ID),
            "vmclock", "none", or "unknown" where /sys does not show it.
        state_bytes (int): The size of a thread's state, in bytes.
        batch_bytes (int): The most bytes that exist per thread before they are served.
        notes (tuple[str, ...]): Each guarantee that does not hold here, and why.
    """

    chacha20: str
    memory: str
    kernel_entropy: str
    watch: str
    clones: str
    state_bytes: int
    batch_bytes: int
    notes: tuple[str, ...]


# Neither a dict, which could be modified, nor a view of one, which cannot be pickled or hashed.
# Equality is Mapping's, so that it can be compared with dicts.
@dataclass(frozen=True, slots=True, eq=False)
class Reseeds(Mapping[str, int]):
    """Keys fetched from the kernel, by reason; a mapping.

    Attributes:
        first (int): A thread's first key.
        wiped (int): The page was zero: it was dropped, or this is a forked child.
        generation (int): The kernel reseeded, or the machine was cloned.
        requested (int): By reseed().
    """

    first: int
    wiped: int
    generation: int
    requested: int

    def __getitem__(self, reason: str) -> int:
        """Return the count for one reason."""
        if reason in self:
            count: int = getattr(self, reason)
            return count
        raise KeyError(reason)

    def __contains__(self, reason: object) -> bool:
        """Return whether there is such a reason."""
        return any(reason == each for each in self)

    def __iter__(self) -> Iterator[str]:
        """Return the reasons, in the order of the attributes."""
        return (field.name for field in fields(self))

    def __len__(self) -> int:
        """Return how many reasons there are."""
        return len(fields(self))

    def __hash__(self) -> int:
        """Hash the counts."""
        return hash(tuple(self.values()))


@dataclass(frozen=True, slots=True)
class Stats:
    """What this process has done.

    Attributes:
        refills (int): Batches and bulk chunks computed, each under a key of its own.
        reseeds (Reseeds): Keys fetched from the kernel: a mapping from the reason ("first",
            "wiped", "generation", "requested") to how many.
        syscalls (int): Calls of getrandom(2).
        fallbacks (int): Requests that the kernel served, because no state was usable.
    """

    refills: int
    reseeds: Reseeds
    syscalls: int
    fallbacks: int
