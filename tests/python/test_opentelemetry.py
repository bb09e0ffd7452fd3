# SPDX-License-Identifier: MIT
"""The id generator, with the SDK itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

trace = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")

from support.running import in_child  # noqa: E402
from vgetrandom.opentelemetry import IdGenerator  # noqa: E402


def test_ids_are_of_their_widths_and_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = IdGenerator()
    spans = [generator.generate_span_id() for _ in range(2000)]
    traces = [generator.generate_trace_id() for _ in range(2000)]
    assert (max(spans).bit_length(), max(traces).bit_length()) == (64, 128)
    assert len({*spans, *traces}) == 4000
    assert generator.is_trace_id_random()
    answers = iter([0, 0, 5, 0, 6])
    monkeypatch.setattr("vgetrandom.opentelemetry.randbits", lambda _: next(answers))
    assert (generator.generate_span_id(), generator.generate_trace_id()) == (5, 6)


def test_spans_of_a_tracer_and_of_its_forked_workers() -> None:
    provider = trace.TracerProvider(id_generator=IdGenerator())
    tracer = provider.get_tracer("test")

    def ids() -> bytes:
        found = []
        for _ in range(100):
            with tracer.start_as_current_span("span") as span:
                context = span.get_span_context()
                found.append(f"{context.trace_id:032x} {context.span_id:016x}")
        return " ".join(found).encode()

    ids()
    words = [word for _ in range(4) for word in in_child(ids).split()] + ids().split()
    assert len(set(words)) == len(words) == 1000


def test_the_sdk_finds_it_by_its_name() -> None:
    program = (
        "from opentelemetry.sdk import _configuration as sdk\n"
        "found = sdk._import_id_generator(sdk._get_id_generator())\n"
        "print((found if isinstance(found, type) else type(found)).__module__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "OTEL_PYTHON_ID_GENERATOR": "vgetrandom"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "vgetrandom.opentelemetry", done.stderr
