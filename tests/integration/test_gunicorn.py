# SPDX-License-Identifier: MIT
"""gunicorn's workers, forked from an application that has drawn, under load."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gunicorn", reason="gunicorn is not installed")

WORKERS = 4
REQUESTS = 400


def ask(path: Path) -> dict[str, Any]:
    """One request over a connection of its own, so that any worker may take it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


def wait_for(path: Path, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "gunicorn did not start"
        try:
            ask(path)
        except (OSError, ValueError):
            time.sleep(0.05)
        else:
            return
    pytest.fail("gunicorn did not answer within 30 seconds")


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_workers_share_nothing(worker: str, tmp_path: Path) -> None:
    """Ids from the patch differ; those of a generator that was seeded before the fork repeat."""
    if worker == "gevent":
        pytest.importorskip("gevent", reason="gevent is not installed")
    path = tmp_path / "socket"
    command = [sys.executable, "-P", "-W", "ignore", "-m", "gunicorn", "--preload", f"-w{WORKERS}"]
    command += ["-k", worker, "--threads", "4", "-b", f"unix:{path}", "--no-control-socket"]
    options = subprocess.run(
        [*command[:6], "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    if "--no-control-socket" not in options:
        command.remove("--no-control-socket")
    server = subprocess.Popen(
        [*command, "prefork_app:application"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(path, server)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(path), range(REQUESTS)))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    secure = [made for answer in answers for made in answer["secure"]]
    assert len(set(secure)) == len(secure) == 3 * REQUESTS
    assert len({answer["worker"] for answer in answers}) > 1, "one worker took every request"
    insecure = [made for answer in answers for made in answer["insecure"]]
    assert len(set(insecure)) < len(insecure), "this test could not have failed"
