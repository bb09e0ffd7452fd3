# SPDX-License-Identifier: MIT
"""What the site has of files beside docs/: mkdocs calls these functions (mkdocs.yml, hooks).

The start page shows blocks of the README that scripts have written. Figures lie beside the pages:
the site fetches nothing from elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PLACE = re.compile(r"<!-- the README's (\w+) -->")
FIGURE = re.compile(r"\]\(https://raw\.githubusercontent\.com/\S+?/(bench/results/(\S+\.svg))\)")

# Links of pages that are read on GitHub and on package indexes as well.
PAGE = re.compile(r"https://github\.com/vgetrandom/vgetrandom/blob/main/docs/([\w-]+\.md)")


def _block(name: str) -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return readme.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0]


def on_files(files: Files, *, config: Any) -> Files:
    """Add the figures of all pages."""
    figures = set()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        figures |= {path for path, _ in FIGURE.findall(page.read_text(encoding="utf-8"))}
    for figure in sorted(figures):
        path = ROOT / figure
        files.append(File.generated(config, path.name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the README's blocks where a page wants them, with figures and pages of the site's own."""
    markdown = PLACE.sub(lambda found: _block(found[1]), markdown)
    return PAGE.sub(r"\1", FIGURE.sub(r"](\2)", markdown))
