# SPDX-License-Identifier: MIT
"""A command is a module, a row of COMMANDS, and a row of docs/command-line.md."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from support import commands
from vgetrandom import cli
from vgetrandom.__main__ import main
from vgetrandom.cli._statuses import BAD_USAGE

if TYPE_CHECKING:
    import argparse

DOCUMENTED = (Path(__file__).parents[2] / "docs/command-line.md").read_text()


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_is_a_module_that_is_documented(name: str) -> None:
    module = importlib.import_module(f"vgetrandom.cli.{name}")
    assert callable(module.add_arguments)
    assert callable(module.run)
    assert f"| `vgetrandom {name}" in DOCUMENTED


def test_every_module_is_a_command_or_private() -> None:
    modules = {path.stem for path in Path(str(cli.__file__)).parent.glob("*.py")}
    assert {name for name in modules if not name.startswith("_")} == set(cli.COMMANDS)


def test_a_new_command_is_a_module_and_a_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = ModuleType("vgetrandom.cli.shout")

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("word")

    def run(args: argparse.Namespace) -> int:
        print(args.word.upper())
        return 7

    vars(module).update(add_arguments=add_arguments, run=run)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(cli.COMMANDS, "shout", "say it aloud")
    assert main(["shout", "hello"]) == 7
    assert capsys.readouterr().out == "HELLO\n"
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "say it aloud" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=str(BAD_USAGE)):
        main(["shout"])


def test_no_command_waits_for_the_modules_of_another() -> None:
    text = (
        "import sys; from vgetrandom.__main__ import main; main(['info'])\n"
        "print(*(name for name in sys.modules if name.startswith('vgetrandom.cli.')))\n"
        "print('vgetrandom.bench' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", text],
        capture_output=True,
        text=True,
        timeout=commands.PATIENCE,
        check=True,
    )
    *_, loaded, others = done.stdout.splitlines()
    public = [name for name in loaded.split() if not name.split(".")[-1].startswith("_")]
    assert public == ["vgetrandom.cli.info"]
    assert others == "False"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_is_for_people(name: str) -> None:
    done = commands.run(name, "--help")
    assert done.returncode == 0
    assert cli.COMMANDS[name].capitalize().encode() in b" ".join(done.stdout.split())
