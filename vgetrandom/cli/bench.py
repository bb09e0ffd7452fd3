# SPDX-License-Identifier: MIT
"""The `bench` subcommand: its arguments, its checks before measuring, and what it prints after."""

from __future__ import annotations

import argparse
import importlib
import math
from pathlib import Path
from typing import Any

from vgetrandom.bench import compare, control, machine, measure, plot, report
from vgetrandom.bench.groups import GROUPS, MAX_SIZE
from vgetrandom.bench.measure import NORMAL, QUICK, RIGOROUS, Effort, Result, Run, Step
from vgetrandom.bench.options import Options
from vgetrandom.bench.table import Table, markdown, show
from vgetrandom.cli import _interrupts, _streams
from vgetrandom.cli._progress import Progress
from vgetrandom.cli._size import size_between
from vgetrandom.cli._statuses import BAD_USAGE, FAILED, INTERRUPTED, OK


def _percent(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = math.nan
    if not 0 <= percent < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage of 0 or more")
    return percent


def _figure(text: str) -> Path:
    path = Path(text)
    if path.suffix not in plot.FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} must end in {' or '.join(plot.FORMATS)}")
    return path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vgetrandom bench`.

    Args:
        parser (argparse.ArgumentParser): The subcommand's parser.
    """
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument(
        "--quick",
        dest="effort",
        action="store_const",
        const=QUICK,
        default=NORMAL,
        help="fewer sizes and shorter samples: under 20 seconds in all",
    )
    effort.add_argument(
        "--rigorous",
        dest="effort",
        action="store_const",
        const=RIGOROUS,
        help=f"longer samples in {RIGOROUS.workers} processes one after another",
    )
    names = [group.name for group in GROUPS]
    parser.add_argument(
        "--groups", nargs="+", choices=names, default=names, help="what to measure (default: all)"
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=size_between(1, MAX_SIZE),
        default=[],
        metavar="BYTES",
        help="bytes per draw, for every group that has sizes (default: each group's own)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the rows as CSV")
    parser.add_argument(
        "--plot", type=_figure, metavar="FILE", help="draw the figure (.svg or .png; matplotlib)"
    )
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="show each row's change since a --json"
    )
    parser.add_argument(
        "--fail-above",
        type=_percent,
        metavar="PERCENT",
        help="with --compare: exit with status 1 where a row got slower by more",
    )


class _UsageError(Exception):
    """The user has to change something before anything can be measured."""


def _check_writable(path: Path) -> None:
    existed = path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        raise _UsageError(f"cannot write {path}: {error.strerror}") from None
    if not existed:
        path.unlink()


def _check(options: Options) -> compare.Old | None:
    """Find errors before measuring rather than after it; load the older run."""
    if options.fail_above is not None and not options.compare:
        raise _UsageError("--fail-above needs --compare")
    if options.plot:
        if not set(plot.GROUPS) & set(options.groups):
            raise _UsageError(f"--plot needs one of the groups {', '.join(plot.GROUPS)}")
        try:
            importlib.import_module("matplotlib")
        except ImportError:
            message = "--plot needs matplotlib: pip install 'vgetrandom[bench]'"
            raise _UsageError(message) from None
    for path in options.files():
        _check_writable(path)
    if not options.compare:
        return None
    try:
        return compare.load(options.compare)
    except OSError as error:
        raise _UsageError(f"cannot read {options.compare}: {error.strerror}") from None
    except ValueError as error:
        raise _UsageError(f"{options.compare}: {error}") from None


def _measure(steps: list[Step], effort: Effort, run: Run) -> int:
    """Measure into RUN and return the exit status, whatever happens."""
    total = len(steps) * max(effort.workers, 1)
    line = Progress()

    def progress(done: int, step: Step) -> None:
        line.show(f"[{done + 1}/{total}] {step.label}")

    try:
        with _interrupts.raised():
            measure.measure(steps, effort, run, progress)
    except KeyboardInterrupt:
        line.clear()
        _interrupts.tell("interrupted: this is what there is so far")
        return INTERRUPTED
    except (OSError, RuntimeError, MemoryError) as error:
        line.clear()
        _streams.say(f"vgetrandom bench: error: stopped: {str(error) or 'not enough memory'}")
        return FAILED
    line.clear()
    return OK


def _print(tables: list[Table], header: list[tuple[str, str]], *, as_markdown: bool) -> None:
    if as_markdown:
        for label, text in header:
            print(f"- {label}: {text}")
        print()
        for table in tables:
            print(markdown(table))
        return
    width = max(len(label) for label, _ in header)
    for label, text in header:
        print(f"{label:{width}}  {text}")
    print()
    for table in tables:
        show(table)


def _write(options: Options, header: dict[str, Any], results: list[Result]) -> None:
    if options.json:
        report.write_json(options.json, header, results)
    if options.csv:
        report.write_csv(options.csv, results)
    if options.plot and results:
        plot.draw(options.plot, header, report.document(header, results)["results"])


def _report_changes(
    old: compare.Old, results: list[Result], header: dict[str, Any], fail_above: float | None
) -> int:
    for difference in compare.other_machine(old.machine, header):
        _streams.say(f"the older run is of another machine: {difference}")
    changes = compare.changes(old, results)
    if fail_above is None:
        return OK
    if not changes:
        _streams.say("vgetrandom bench: error: no row in common with the older run")
        return BAD_USAGE
    slower = {key: change for key, change in changes.items() if change > fail_above}
    for key, change in slower.items():
        _streams.say(f"slower: {key.group} {key.size} {key.name} {change:+.1f} %")
    return FAILED if slower else OK


def _options(args: argparse.Namespace) -> Options:
    return Options(
        effort=args.effort,
        groups=tuple(args.groups),
        sizes=tuple(args.sizes),
        json=args.json,
        csv=args.csv,
        plot=args.plot,
        markdown=args.markdown,
        compare=args.compare,
        fail_above=args.fail_above,
    )


def run(args: argparse.Namespace) -> int:
    """Run the benchmark.

    Args:
        args (argparse.Namespace): What `add_arguments` parsed.

    Returns:
        int: The exit status: 0, 1 where a row got slower than allowed (or measuring failed), 2 for
        bad usage, 130 after Ctrl-C.
    """
    return _run(_options(args))


def _run(options: Options) -> int:
    try:
        old = _check(options)
    except _UsageError as error:
        _streams.say(f"vgetrandom bench: error: {error}")
        return BAD_USAGE
    done = Run()
    header = machine.describe()
    status = _measure(options.steps(), options.effort, done)
    results = done.results()
    header |= {"command": options.command(), "complete": status == OK, "absent": done.absent}
    # Files first: standard output may turn out to be closed or full.
    try:
        _write(options, header, results)
    except OSError as error:
        _streams.say(f"vgetrandom bench: error: {error}")
        status = status or FAILED
    tables = report.tables(results)
    if old:
        tables.append(compare.table(old, results))
    _print(tables, machine.header(header), as_markdown=options.markdown)
    told = control.sentence({result.key: result.median for result in results})
    if told:
        print(f"control: {told}")
    noisy = measure.too_noisy(control.without(results))
    if noisy and status == OK:
        _streams.say("\n  ".join(["warning: too noisy to tell apart:", *noisy]))
    if old and status == OK:
        status = _report_changes(old, results, header, options.fail_above)
    return status
