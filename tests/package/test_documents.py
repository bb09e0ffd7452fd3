# SPDX-License-Identifier: MIT
"""The documents: their links lead somewhere, and the map has every folder."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = r"https://(?:github\.com|raw\.githubusercontent\.com)/vgetrandom/vgetrandom/"
DOCUMENTS = [
    path for folder in (".", "docs", "bench") for path in sorted((ROOT / folder).glob("*.md"))
]


def links(document: Path) -> list[str]:
    """Every target of a link or an image, but not what code blocks look like."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    inline = re.findall(r"\]\(([^)\s]+)\)", text)
    return inline + re.findall(r"^\[[^\]]+\]: (\S+)$", text, flags=re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """What a heading can be reached by, as GitHub and mkdocs make it."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), flags=re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    for link in links(document):
        inside = re.sub(rf"^{REPOSITORY}(?:blob/|tree/)?main/", "/", link)
        if inside.startswith("http"):
            continue
        name, _, anchor = inside.partition("#")
        target = ROOT / name[1:] if name.startswith("/") else document.parent / name
        target = target if name else document
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def test_the_readme_works_on_a_package_index() -> None:
    """Where relative links lead nowhere."""
    for link in links(ROOT / "README.md"):
        assert link.startswith(("https://", "#")), link


def test_every_folder_is_in_the_map() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    sources = {".c", ".h", ".py", ".md", ".txt", ".cmake", ".yml", ""}
    tops = ".ci .github bench cmake csrc docs examples tests vgetrandom"
    for top in tops.split():
        for path in (ROOT / top).rglob("*"):
            folder = path.parent.relative_to(ROOT)
            if path.is_file() and path.suffix in sources and "__pycache__" not in folder.parts:
                assert folder == Path("tests") or f"| `{folder}/` |" in text, folder


def test_github_runs_what_ci_runs() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    steps = re.findall(r"- run: (.*)$", workflow, flags=re.MULTILINE)
    assert steps == [".ci/run", "make test PYTHON=python EXTRA=${{ matrix.extra }}"]


def test_github_runs_every_interpreter_that_is_supported() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    classifiers = "\n".join(project["classifiers"])
    named = set(re.findall(r"Python :: (3\.\d+)$", classifiers, flags=re.MULTILINE))
    debian = {"12": "3.11", "13": "3.13"}
    tested = {debian[release] for release in re.findall(r'"debian:(\d+)"', workflow)}
    assert named == tested | set(re.findall(r'"(3\.\d+)"', workflow))
    assert ("Free Threading" in classifiers) == bool(re.search(r'"3\.\d+t"', workflow))
    assert ("PyPy" in classifiers) == ("pypy" in workflow)


def test_every_source_file_names_its_licence() -> None:
    kinds = {".c", ".h", ".pml", ".py", ".pyi", ".cmake", ".mk"}
    files = [ROOT / "CMakeLists.txt", ROOT / "Makefile", ROOT / "pyproject.toml"]
    for top in ("bench", "cmake", "csrc", "docs", "examples", "tests", "vgetrandom"):
        files += [path for path in (ROOT / top).rglob("*") if path.suffix in kinds]
    named = "SPDX-License-Identifier: MIT"
    lacking = [path for path in files if named not in path.read_text()[:200]]
    assert not lacking, "the first line of each source file is its SPDX-License-Identifier"
