"""How modules of the checkout are rewritten for the wheel, and what stops a build."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from setuptools import Distribution
from setuptools.errors import SetupError

from core.versions import TAILSCOPE

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tailscope_setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from core.x import y", "from tailscope.core.x import y"),
        ("from core import x, y", "from tailscope.core import x, y"),
        ("from  pages.ui import (\n    text,\n)", "from  tailscope.pages.ui import (\n    text,\n)"),
        ("import core.types as t", "import tailscope.core.types as t"),
        ("import core.charts, os, cache.keys", "import tailscope.core.charts, os, tailscope.cache.keys"),
        ("def f():\n    from cache import keys", "def f():\n    from tailscope.cache import keys"),
        ("é = 'ü'; from core.x import y", "é = 'ü'; from tailscope.core.x import y"),
        ("from . import x\nfrom .core import y", "from . import x\nfrom .core import y"),
        ("from cachetools import x\nimport corelib", "from cachetools import x\nimport corelib"),
        ("at = 'core.cli.app:main'", "at = 'tailscope.core.cli.app:main'"),
        ('f("core.datasets.formats.folders", "open")', 'f("tailscope.core.datasets.formats.folders", "open")'),
        ("'see python -m core fetch set X'", "'see tailscope fetch set X'"),
        ("'python -m core.published.openclip CSV'", "'python -m tailscope.core.published.openclip CSV'"),
        ("import_module('core.' 'types')", "import_module('tailscope.core.' 'types')"),
        ("from \\\n    core.types import x", "from tailscope.\\\n    core.types import x"),
        ("x = 'the core of it', cache.y, core", "x = 'the core of it', cache.y, core"),
    ],
)
def test_modules_of_ours_are_found_below_the_package(build: ModuleType, source: str, expected: str) -> None:
    assert build.moved(source, "x.py") == expected


@pytest.mark.parametrize(
    "source",
    [
        "import core.types\ncore.types.x",
        "run(['python', '-m', 'core', 'models'])",
        "run(['python', '-c', 'from core.x import y; y()'])",
        "import_module(f'core.{name}')",
        "import_module('core.no_such_module')",
        "'python -m ' 'core models'",
    ],
)
def test_what_cannot_be_rewritten_stops_the_build(build: ModuleType, source: str) -> None:
    with pytest.raises(build.CannotMove, match=r"x\.py:\d+: "):
        build.moved(source, "x.py")


@pytest.mark.slow
def test_every_module_can_be_moved(build: ModuleType) -> None:
    for path, place in build.packaged():
        if place.suffix == ".py":
            compile(build.moved(path.read_text(encoding="utf-8"), place.as_posix()), place, "exec")


def test_an_editable_install_is_refused_with_what_to_do(build: ModuleType) -> None:
    with pytest.raises(SetupError, match="in a checkout run `python -m tailscope`"):
        build.NoEditableWheel(Distribution()).run()


def test_the_image_is_built_from_all_that_the_wheel_holds(build: ModuleType) -> None:
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    tops = {path.relative_to(ROOT).parts[0] for path, _ in build.packaged()}
    assert tops <= {name.split("/")[0] for name in kept}
    assert {"setup.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"} <= set(kept)


def test_extras_are_what_the_tests_install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = (ROOT / "requirements-test.txt").read_text(encoding="utf-8").splitlines()
    extras = [one for listed in project["optional-dependencies"].values() for one in listed]
    assert set(extras) <= set(tested)
    assert "version" in project["dynamic"]


def test_the_changelog_opens_with_the_version() -> None:
    assert re.search(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1] == TAILSCOPE
