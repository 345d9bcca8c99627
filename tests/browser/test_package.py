"""The wheel, installed beside nothing of the checkout: its command, its API, its dashboard."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.versions import TAILSCOPE
from tests.helpers.browser import Visit
from tests.live import serving

pytestmark = [pytest.mark.slow, pytest.mark.browser]

ROOT = Path(__file__).resolve().parents[2]
MOVED = {"core", "cache", "pages", "assets", "app"}


@dataclass(frozen=True)
class Installed:
    """A wheel, the folder it was installed into, and an empty folder in which its commands are typed."""

    wheel: Path
    site: Path
    elsewhere: Path

    @property
    def env(self) -> dict[str, str]:
        """The variables under which only the installed package is found, with a cache folder of its own."""
        return {**os.environ, "PYTHONPATH": str(self.site), "TAILSCOPE_CACHE": str(self.elsewhere / ".cache")}

    def run(self, *command: str, env: dict[str, str] | None = None) -> str:
        """Standard output of a command that must succeed."""
        done = subprocess.run(command, cwd=self.elsewhere, env=env or self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tailscope(self, *words: str) -> str:
        """Standard output of the installed command."""
        return self.run(str(self.site / "bin" / "tailscope"), *words)

    def python(self, code: str, **env: str) -> str:
        """What a script prints that imports the installed package."""
        return self.run(sys.executable, "-c", code, env={**self.env, **env})


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("package")
    copy = folder / "checkout"  # building writes beside setup.py
    copy.mkdir()
    for name in ("core", "cache", "pages", "assets", "tailscope", ".streamlit"):
        ignored = shutil.ignore_patterns("__pycache__", *(["data"] if name == "cache" else []))
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for file in ("app.py", "setup.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    alone = ["--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *alone, "--no-build-isolation", "-w", folder / "wheel", copy], check=True)
    (wheel,) = (folder / "wheel").glob("*.whl")
    subprocess.run([*pip, "install", *alone, "--target", folder / "site", wheel], check=True)
    shutil.rmtree(copy)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Installed(wheel, folder / "site", elsewhere)


def test_the_wheel_has_one_package_at_its_top(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()
    assert {name.partition("/")[0] for name in names} == {"tailscope", f"tailscope-{TAILSCOPE}.dist-info"}
    assert {name.split("/")[1] for name in names if name.startswith("tailscope/")} > MOVED - {"app"}
    assert "tailscope/.streamlit/config.toml" in names
    assert not [name for name in names if name.startswith("tailscope/cache/data") or "__pycache__" in name]


def test_no_module_of_the_wheel_imports_by_the_names_of_the_checkout(installed: Installed) -> None:
    for path in (installed.site / "tailscope").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert not MOVED & {name.partition(".")[0] for name in names}, path


def test_the_command_does_what_python_m_core_does(installed: Installed) -> None:
    assert installed.tailscope("--version").strip() == f"tailscope {TAILSCOPE}"
    shown = installed.tailscope("--help")
    assert "evaluate" in shown
    assert "run" in shown
    listed = json.loads(installed.tailscope("models", "--json"))
    assert {"icon-RN,icons-200k", "ViT-B-32,openai"} <= {model["id"] for model in listed}
    assert installed.run(sys.executable, "-m", "tailscope", "--version") == installed.tailscope("--version")


def test_messages_name_the_command_that_was_installed(installed: Installed) -> None:
    done = subprocess.run(
        [installed.site / "bin" / "tailscope", "evaluate", "icon-RN,icons-200k", "letitwag", "--origin", "live"],
        cwd=installed.elsewhere, env=installed.env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "tailscope fetch set letitwag" in done.stderr
    assert "python -m" not in done.stderr


def test_the_module_evaluates_published_data_and_runs_a_model(installed: Installed) -> None:
    printed = installed.python(
        "import tailscope, sys\n"
        "answer = tailscope.evaluate('RN50,cc12m', 'imagenet')\n"
        "print(tailscope.__version__, answer.origin, len(answer.to_pandas()))\n"
        "print(tailscope.curve(answer).n)\n"
        "live = tailscope.evaluate('icon-RN,icons-200k', tailscope.open_set('icons-tail'))\n"
        "print(live.origin, round(live.acc1, 3))\n"
        "print(sorted(name for name in ('core', 'cache', 'pages') if name in sys.modules))\n"
    ).splitlines()
    assert printed[0] == f"{TAILSCOPE} published 1000"
    assert int(printed[1]) > 900
    origin, accuracy = printed[2].split()
    assert origin == "live"
    assert float(accuracy) > 0.3
    assert printed[3] == "[]"


def test_processes_that_count_captions_find_their_module(installed: Installed) -> None:
    (installed.elsewhere / "captions.csv").write_text("caption\na red anchor\nan anchor and a bell\n")
    (installed.elsewhere / "concepts.txt").write_text("anchor\nbell\n")
    installed.tailscope("frequency", "count", "captions.csv", "--concepts", "concepts.txt", "--out", "counts")
    rows = (installed.elsewhere / "counts" / "counts.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["anchor", "2"], ["bell", "1"]]


def test_an_installed_package_caches_in_the_folder_of_the_person(installed: Installed) -> None:
    home = installed.elsewhere / "home"
    printed = installed.python(
        "from tailscope.cache import keys; print(keys.root())",
        TAILSCOPE_CACHE="", HOME=str(home), XDG_CACHE_HOME=str(home / "caches"),
    )  # fmt: skip
    assert Path(printed.strip()).is_relative_to(home)
    assert not (installed.site / "tailscope" / "cache" / "data").exists()


def test_the_container_serves_read_only(installed: Installed) -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (entry,), words = (
        json.loads(re.search(rf"^{name} (.+)$", text, re.MULTILINE)[1]) for name in ("ENTRYPOINT", "CMD")
    )
    variables = dict(re.findall(r"\b(TAILSCOPE_ALLOW_JOBS|PYTHONUNBUFFERED)=(\S+)", text))
    command = (str(installed.site / "bin" / entry), *words, "--port", "{port}")
    with serving(
        installed.elsewhere / "contained", address="0.0.0.0", command=command, cwd=installed.elsewhere,
        PYTHONPATH=str(installed.site), **variables,
    ) as live:  # fmt: skip
        python, *check = json.loads(re.search(r"HEALTHCHECK.*?CMD (\[.+?\])$", text, re.MULTILINE | re.DOTALL)[1])
        assert python == "python"
        installed.run(sys.executable, *(part.replace("8501", str(live.port)) for part in check))
        assert live.get("/", {"Host": "localhost:8501"})[0] == 200
        status, reason = live.get("/", {"Host": "dash.example.org"})
        assert status == 403
        assert "TAILSCOPE_HOSTS" in reason


@pytest.fixture(scope="module")
def server(installed: Installed) -> Iterator[str]:
    """Address of the dashboard of the installed package: what ``visit`` opens in this module."""
    command = (str(installed.site / "bin" / "tailscope"), "run", "--port", "{port}")
    with serving(
        installed.elsewhere / "served", command=command, cwd=installed.elsewhere, PYTHONPATH=str(installed.site)
    ) as live:
        yield f"http://127.0.0.1:{live.port}"


@pytest.mark.parametrize("path", ["/frequency", "/published"])
def test_the_dashboard_opens_from_an_empty_folder(visit: Callable[..., Visit], path: str) -> None:
    page = visit(path).painted()
    assert page.title().endswith("Tailscope") or "Tailscope" in page.title()
    assert page.locator("h1").first.inner_text()
    # The look is that of the settings in the wheel, not Streamlit's own.
    colour = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).color")
    assert colour == "rgb(28, 32, 36)"
