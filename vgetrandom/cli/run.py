# SPDX-License-Identifier: MIT
"""Run a Python program with vgetrandom behind its secure randomness: ``vgetrandom run``."""

from __future__ import annotations

import argparse
import builtins
import io
import os
import pkgutil
import runpy
import sys
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from vgetrandom import patch
from vgetrandom.cli import _program, _streams
from vgetrandom.cli._statuses import BAD_USAGE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments.

    Args:
        parser (argparse.ArgumentParser): The command's parser.
    """
    parser.usage = f"{parser.prog} [-h] (SCRIPT | -m MODULE) [ARGUMENT ...]"
    parser.add_argument("-m", dest="module", action="store_true", help="run a module")
    parser.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="SCRIPT",
        help="what to run, and its arguments: a script, or a directory or zip file that has a "
        "__main__.py",
    )


def run(args: argparse.Namespace) -> int:
    """Run the program, as ``python SCRIPT`` and ``python -m MODULE`` do.

    Args:
        args (argparse.Namespace): What `add_arguments` parsed.

    Returns:
        int: The exit status: 2 if there is no such script, otherwise the program's.
    """
    if not args.program:
        _streams.say("vgetrandom run: error: SCRIPT or -m MODULE is missing")
        return BAD_USAGE
    name, *rest = args.program
    if args.module:
        patch.install()
        return _program.become(lambda: _run_module(name, rest))
    if pkgutil.get_importer(name):
        patch.install()
        return _program.become(lambda: _run_folder(name, rest))
    try:
        content = _read(name)
    except OSError as error:
        _streams.say(f"vgetrandom run: error: cannot open {name}: {error.strerror}")
        return BAD_USAGE
    patch.install()
    return _program.become(lambda: _run_script(name, content, rest))


def _read(path: str) -> CodeType | bytes:
    with io.open_code(path) as file:
        code: CodeType | None = pkgutil.read_code(file)
    if code:
        return code
    with io.open_code(path) as file:
        return file.read()


def _working_directory() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None


def _absolute(path: str) -> str:
    # As Python does it: links and dots are kept.
    return os.path.join(_working_directory() or "", path)  # noqa: PTH118


def _set_first_path(folder: str | None) -> None:
    # With -P there is no such entry, neither ours nor the program's.
    if sys.flags.safe_path:
        return
    by_name = sys.modules["__main__"].__spec__ is not None  # python -m vgetrandom
    ours = not by_name or _working_directory() is not None
    sys.path[:ours] = [] if folder is None else [folder]


def _new_main() -> ModuleType:
    """Make the program's `__main__`. Ours is kept for the frames that run in it."""
    before = vars(sys.modules["__main__"])
    main = ModuleType("__main__")
    vars(main).update({"__builtins__": builtins})
    if "__annotations__" in before:  # until Python 3.14
        vars(main)["__annotations__"] = {}
    sys.modules["__main__"] = main
    return main


def _run_script(path: str, content: CodeType | bytes, arguments: list[str]) -> None:
    sys.argv[:] = [path, *arguments]
    _set_first_path(str(Path(path).resolve().parent))
    absolute = _absolute(path)
    main = _new_main()
    loader = SourceFileLoader if isinstance(content, bytes) else SourcelessFileLoader
    vars(main).update({"__file__": absolute, "__loader__": loader("__main__", absolute)})
    if sys.version_info < (3, 15):
        vars(main)["__cached__"] = None
    if isinstance(content, bytes):
        content = compile(content, absolute, "exec", dont_inherit=True)
    exec(content, vars(main))  # noqa: S102


def _run_module(name: str, arguments: list[str]) -> None:
    sys.argv[:] = ["-m", *arguments]
    _set_first_path(_working_directory())
    _new_main()
    # What `python -m` calls. run_module() would remove the module when it has run, although its
    # threads and exit hooks may still need it.
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]  # noqa: SLF001


def _run_folder(path: str, arguments: list[str]) -> None:
    sys.argv[:] = [path, *arguments]
    if sys.flags.safe_path:
        sys.path.insert(0, "")
    sys.path[:1] = [_absolute(path)]
    _new_main()
    runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]  # noqa: SLF001
