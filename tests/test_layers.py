"""The direction of dependencies, and what must not be imported where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BELOW = {"core": {"app", "pages", "streamlit"}, "cache": {"app", "pages", "core", "streamlit"}, "pages": {"app"}}
MODULES = sorted(path for folder in BELOW for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Top-level names of every package that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def test_dependencies_point_one_way_and_one_module_imports_diskcache() -> None:
    found = {path.relative_to(ROOT): set(imports(path)) for path in MODULES}
    assert [path for path, names in found.items() if BELOW[path.parts[0]] & names] == []
    assert [path.name for path, names in found.items() if "diskcache" in names] == ["results.py"]


SHARE = re.compile(r"\{100 \* [^{}]+:\.\df\} %|(?<!%)\{[^{}%]+:\.\d%\}")


def test_only_one_module_writes_shares_in_percent() -> None:
    """Elsewhere 0.4 % would read as 0 %, and 99.97 % as 100 %; charts' hover templates are d3's, with a decimal."""
    known = {Path("core/stats/format.py"), Path("core/types/answers.py")}  # types knows no formats
    for path in (path for path in MODULES if path.relative_to(ROOT) not in known):
        text = path.read_text(encoding="utf-8")
        chart = path.relative_to(ROOT).parts[:2] == ("core", "charts")
        assert chart or not SHARE.search(text), (path, SHARE.search(text))
        assert not re.search(r"%\{\{?[^{}]+:\.0%\}", text), path


def test_the_first_screen_is_imported_without_torch_or_scipy() -> None:
    """What the launcher imports before the first visitor: the frame, the overview and all that they import."""
    code = (
        "import sys, app; app._import_pages(); import pages.ui.sidebar, pages.ui.detail, core.datasets; "
        "print(sorted({'torch', 'open_clip', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_core_of_the_pages_is_imported_without_torch_or_streamlit() -> None:
    light = (
        "core.evaluation.evaluate, core.runtime.jobs, core.models.registry, core.datasets, core.analysis.curve, "
        "core.charts, core.prompts, core.downloads"
    )
    code = f"import sys; import {light}; print(sorted({{'torch', 'open_clip', 'streamlit'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
