# SPDX-License-Identifier: MIT
"""The figure of a run: throughput, time per call and the ratio to os.urandom over the size."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .peers import BASELINE, CONTROL, is_ours
from .report import human_size

# Okabe and Ito's colours, which colour-blind readers can distinguish, then greys; markers help in
# black-and-white print.
_COLOURS = (
    *("#D55E00", "#000000", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"),
    *("#666666", "#999999", "#BBBBBB"),
)
_MARKERS = "osD^v<>PXp"
_DASHES = ("-", "--", "-.", ":")

FORMATS = (".svg", ".png")
GROUPS = ("bytes", "fill")
"""The groups that have a figure; the first of them in a run is drawn."""


def digest(results: list[dict[str, Any]]) -> str:
    """A digest of a run's figures, which its SVG carries to show what it was drawn from.

    Args:
        results: The rows of the JSON file.
    """
    rows = [(row["group"], row["name"], row["size"], row["median"]) for row in results]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _lines(results: list[dict[str, Any]]) -> tuple[str, dict[str, dict[int, float]]]:
    """The group to draw, and nanoseconds by size for each name."""
    group = next((g for g in GROUPS if any(row["group"] == g for row in results)), GROUPS[0])
    lines: dict[str, dict[int, float]] = {}
    for row in results:
        if row["group"] == group and row["name"] != CONTROL:
            lines.setdefault(row["name"], {})[row["size"]] = row["median"]
    return group, lines


def size_labels(sizes: list[int]) -> list[str]:
    """Return the labels of an axis, empty where they would lie on one another.

    Args:
        sizes: Bytes, in ascending order.
    """
    labels, last = [], 0.0
    for size in sizes:
        labels.append(human_size(size) if size >= 4 * last else "")
        last = size if labels[-1] else last
    return labels


def duration(ns: float) -> str:
    """Return a time as a label.

    Args:
        ns: Nanoseconds.
    """
    powers = (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0))
    unit, factor = next((pair for pair in powers if ns >= pair[1]), powers[-1])
    return f"{ns / factor:g} {unit}"


def draw(path: Path, machine: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Draw the figure.

    Args:
        path: Where to; its suffix is one of FORMATS.
        machine: The header of the run.
        results: The rows of the JSON file.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullLocator

    group, lines = _lines(results)
    base = lines.get(BASELINE, {})
    # The same run gives the same file.
    with mpl.rc_context({"svg.hashsalt": "vgetrandom", "font.size": 9}):
        figure, axes = plt.subplots(1, 3, figsize=(13, 5.2), layout="constrained")
        for number, (name, times) in enumerate(lines.items()):
            style: dict[str, Any] = {
                "label": name,
                "color": _COLOURS[number % len(_COLOURS)],
                "marker": _MARKERS[number % len(_MARKERS)],
                "linestyle": _DASHES[number % len(_DASHES)],
                "linewidth": 2.4 if is_ours(name) else 1.2,
                "markersize": 4,
                "zorder": 10 - number,
            }
            sizes = sorted(times)
            axes[0].plot(sizes, [size / times[size] for size in sizes], **style)
            axes[1].plot(sizes, [times[size] for size in sizes], **style)
            shared = [size for size in sizes if size in base]
            axes[2].plot(shared, [base[size] / times[size] for size in shared], **style)
        for axis, title in zip(
            axes,
            ("throughput, GB/s", "time per call", f"times as fast as {BASELINE}"),
            strict=True,
        ):
            axis.set(title=title, xlabel="bytes per call", xscale="log", yscale="log")
            ticks = sorted({size for times in lines.values() for size in times})
            axis.set_xticks(ticks, size_labels(ticks), rotation=60)
            axis.xaxis.set_minor_locator(NullLocator())
            axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
        axes[1].yaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))
        where = ", ".join(str(machine[key]) for key in ("cpu", "kernel", "libc", "python"))
        figure.suptitle(f"{group}: {where}")
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False
        )
        metadata = {"Date": None, "Identifier": digest(results)} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata=metadata, dpi=160)
        plt.close(figure)
