"""The rooms of ``core`` import downwards only, and no files import each other in a circle.

The order stands in ``pyproject.toml``; README's drawing is checked against it.
"""

from __future__ import annotations

import ast
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["tailscope"]["rooms"]


def module_name(path: Path) -> str:
    """Dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for top in ("core", "cache") for path in sorted((ROOT / top).rglob("*.py"))}


def imports(name: str) -> set[str]:
    """Modules of ours that a module imports anywhere: at its top, in a function, for types only."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    # ``from core.x import y`` means the module core.x.y where there is one, and otherwise core.x.
    named = {module for module in found if module in MODULES}
    return {module for module in named if not any(other.startswith(f"{module}.") for other in named)} - {name}


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return {name: imports(name) for name in MODULES}


def room(module: str) -> str | None:
    """The innermost listed room of a module; None for ``core`` itself and its ``__main__``."""
    path = module.replace(".", "/").removeprefix("core/")
    inside = [one for one in ROOMS if path == one or path.startswith(f"{one}/")]
    return max(inside, key=len, default=None)


def test_every_module_has_a_room() -> None:
    assert [name for name in MODULES if room(name) is None and name not in ("core", "core.__main__")] == []


def test_a_room_imports_only_rooms_below_it(graph: dict[str, set[str]]) -> None:
    place = {name: ROOMS.index(found) for name in MODULES if (found := room(name))}
    upward = [
        f"{name} imports {other}" for name in place for other in graph[name] if place.get(other, -1) > place[name]
    ]
    assert upward == []


def test_no_files_import_each_other_in_a_circle(graph: dict[str, set[str]]) -> None:
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_readme_draws_the_same_rooms() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    drawn = readme.partition("<!-- rooms -->")[2].partition("<!-- /rooms -->")[0]
    listed = [line.split()[0] for line in drawn.splitlines() if line.strip() and not line.startswith("```")]
    assert listed == ROOMS[::-1]
