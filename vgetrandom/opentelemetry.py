# SPDX-License-Identifier: MIT
"""Trace and span ids for OpenTelemetry that no forked worker repeats.

The SDK's own generator uses the Mersenne Twister of `random`: workers that a server forks from one
process generate the same ids unless something reseeds it. Set
``OTEL_PYTHON_ID_GENERATOR=vgetrandom``, or pass an `IdGenerator` to the ``TracerProvider``.

Needs ``opentelemetry-sdk``: ``pip install vgetrandom[opentelemetry]``.
"""

from __future__ import annotations

from opentelemetry.sdk.trace import id_generator

from vgetrandom.secrets import randbits

__all__ = ["IdGenerator"]


class IdGenerator(id_generator.IdGenerator):
    """Ids from vgetrandom's generator.

    See the specification of the OpenTelemetry SDK, "Id Generators", and W3C Trace Context,
    "trace-id" and "random trace id flag".
    """

    def generate_span_id(self) -> int:
        """Return 64 random bits, not all zero."""
        return randbits(64) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """Return 128 random bits, not all zero."""
        return randbits(128) or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Return True: every bit of a trace id is random."""
        return True
