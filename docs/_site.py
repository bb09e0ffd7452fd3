# SPDX-License-Identifier: MIT
"""What the site has of files beside docs/: mkdocs calls these functions (mkdocs.yml, hooks).

The start page shows the README's benchmark, which a recorded run has written, with its figure.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PLACE = "<!-- the README's benchmark -->"


def _benchmark() -> str:
    readme = (ROOT / "README.md").read_text()
    return readme.split("<!-- benchmark: begin -->")[1].split("<!-- benchmark: end -->")[0]


def _figure() -> Path:
    found = re.search(r"!\[[^\]]*\]\(\S*/(bench/results/\S+\.svg)\)", _benchmark())
    assert found, "the README's benchmark has no figure"
    return ROOT / found[1]


def on_files(files: Files, *, config: Any) -> Files:
    """Add the figure: the site fetches nothing from elsewhere."""
    figure = _figure()
    files.append(File.generated(config, figure.name, abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the benchmark where a page wants it."""
    if PLACE not in markdown:
        return markdown
    block = re.sub(r"(!\[[^\]]*\])\(\S+\)", rf"\1({_figure().name})", _benchmark())
    # The last column, the command that repeats the row, has no room here.
    block = re.sub(r"^(\|.*\|)[^|\n]+\|$", r"\1", block, flags=re.MULTILINE)
    return markdown.replace(PLACE, block)
