# SPDX-License-Identifier: MIT
"""bench/support_table.py, and this checkout's support tables against its records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import blocks
import support_table
from support import recording
from support.places import ROOT

ROW = {
    "kernel": "6.18.44+deb13-amd64",
    "libc": "glibc 2.41",
    "architecture": "x86_64",
    "interpreter": "CPython 3.13.5",
    "compiler": "gcc 14.2.0",
    "page": 4096,
    "memory": "droppable",
    "entropy": "vdso",
    "watch": "vdso-generation",
    "clones": "none",
    "chacha20": "avx512",
    "setting": "",
    "passed": 3613,
    "failed": 0,
    "skipped": 93,
    "errors": 0,
    "result": "",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "docs/recorded/support").mkdir(parents=True)
    for page in ("README.md", "docs/support.md"):
        block = "\n".join(blocks.markers("support"))
        (tmp_path / page).write_text(f"before\n{block}\nafter\n")
    return tmp_path


def record(
    checkout: Path, *changes: dict[str, Any], date: str = "2026-01-02", how: str = "whole suite"
) -> None:
    """Add a record with these differences from ROW."""
    rows = [ROW | change for change in changes]
    folder = checkout / "docs/recorded/support"
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps({"command": "pytest", "date": date, "how": how, "rows": rows}))


def lines(checkout: Path, page: str) -> list[str]:
    """The rows of the table or tables that are written to a page."""
    assert support_table.main([], checkout) == 0
    text = (checkout / page).read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_a_row_of_each_page(checkout: Path) -> None:
    record(checkout, {})
    found = "| droppable | vdso | vdso-generation | none |"
    assert lines(checkout, "README.md")[2:] == [
        f"| 6.18.44 | x86_64 | glibc 2.41 | CPython 3.13.5 {found} whole suite | 2026-01-02 |"
    ]
    where = "| 6.18.44+deb13-amd64 | x86_64 | glibc 2.41 | gcc 14.2.0 | CPython 3.13.5"
    counts = "avx512 | 3613 | 0 | 93 | 2026-01-02 |"
    assert lines(checkout, "docs/support.md")[2:] == [f"{where} {found} {counts}"]


def test_what_is_alike_stands_in_one_row(checkout: Path) -> None:
    record(checkout, {})
    record(checkout, {"interpreter": "PyPy 7.3.20 (Python 3.11.13)"}, date="2026-01-01")
    record(checkout, {"interpreter": "CPython 3.9.2", "passed": 3000})
    (row,) = lines(checkout, "README.md")[2:]
    assert "| CPython 3.9.2, 3.13.5; PyPy 7.3.20 (Python 3.11.13) |" in row
    assert row.endswith("| whole suite | 2026-01-01 to 2026-01-02 |")
    assert len(lines(checkout, "docs/support.md")[2:]) == 3


def test_what_is_common_to_a_long_table_stands_above_it(checkout: Path) -> None:
    record(checkout, {}, {"interpreter": "CPython 3.12.1"}, {"interpreter": "CPython 3.14.0"})
    assert lines(checkout, "docs/support.md")[0] == "| interpreter |"
    text = (checkout / "docs/support.md").read_text()
    assert "In all rows: kernel 6.18.44+deb13-amd64, architecture x86_64, " in text
    assert ", failed 0, " in text


def test_order_and_pages(checkout: Path) -> None:
    old = {"memory": "wipe-on-fork", "kernel": "6.9.1", "interpreter": ""}
    record(checkout, old, {"kernel": "6.10.1", "interpreter": ""}, how="booted")
    arm = {"kernel": "6.10.1", "interpreter": "", "architecture": "aarch64"}
    record(checkout, {"kernel": "7.0.0"}, arm, arm | {"page": 16384}, how="booted")
    cells = [line.split(" | ") for line in lines(checkout, "README.md")[2:]]
    assert [(row[0][2:], row[1], row[3]) for row in cells] == [
        ("7.0.0", "x86_64", "CPython 3.13.5"),
        ("6.10.1", "x86_64, aarch64, aarch64 (16 KiB pages)", "C alone"),
        ("6.9.1", "x86_64", "C alone"),
    ]


def test_failures_are_told(checkout: Path) -> None:
    record(checkout, {"failed": 2, "errors": 1}, {"interpreter": "CPython 3.12.1"})
    failed, fine = sorted(lines(checkout, "README.md")[2:], key=len, reverse=True)
    assert "CPython 3.13.5" in failed
    assert failed.endswith("whole suite: **3 failed** | 2026-01-02 |")
    assert "failed" not in fine


def test_unusual_settings_stand_on_the_long_page_only(checkout: Path) -> None:
    record(checkout, {}, {"setting": "vdso=0", "entropy": "syscall"})
    assert len(lines(checkout, "README.md")[2:]) == 1
    assert "vdso=0" not in (checkout / "README.md").read_text()
    assert any("| vdso=0 |" in line for line in lines(checkout, "docs/support.md"))


def test_where_all_is_unusual_the_readme_says_what(checkout: Path) -> None:
    record(checkout, {}, {"architecture": "s390x", "setting": "qemu-user 7.2"})
    assert "| whole suite (qemu-user 7.2) | 2026-01-02 |" in lines(checkout, "README.md")[-1]


def test_the_newer_of_two_runs_is_shown(checkout: Path) -> None:
    record(checkout, {"failed": 7}, date="2026-01-03")
    record(checkout, {"failed": 8}, date="2026-01-02")
    record(checkout, {}, date="2026-01-01", how="tests/core")
    assert "whole suite: **7 failed** | 2026-01-03 |" in lines(checkout, "README.md")[-1]
    assert "8 failed" not in (checkout / "README.md").read_text()
    assert "## `tests/core`" in (checkout / "docs/support.md").read_text()


def test_disagreement_is_found(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(checkout, {})
    assert support_table.main(["--check"], checkout) == 1
    assert support_table.main([], checkout) == 0
    assert support_table.main(["--check"], checkout) == 0
    for name in ("README.md", "docs/support.md"):
        page = checkout / name
        written = page.read_text()
        page.write_text(written.replace("droppable", "none"))
        capsys.readouterr()
        assert support_table.main(["--check"], checkout) == 1
        assert page.name in capsys.readouterr().err
        page.write_text(written)
    record(checkout, {}, date="2026-01-04")
    assert support_table.main(["--check"], checkout) == 1


def test_missing_markers_are_found(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "README.md").write_text("nothing here\n")
    assert support_table.main([], checkout) == 1
    assert "a page has no" in capsys.readouterr().err


def test_the_tables_agree_with_the_records() -> None:
    assert support_table.main(["--check"]) == 0


RECORDS = sorted((ROOT / support_table.RECORDS).glob("*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_the_records_are_records(path: Path) -> None:
    recording.check(json.loads(path.read_text()))
