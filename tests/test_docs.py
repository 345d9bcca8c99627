"""What README and docs promise: commands that parse, links and pictures that lead somewhere, nothing left out."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from core.cli.app import app
from core.datasets import layouts

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"python -m core ([^`\n]+)")


def commands() -> list[tuple[str, str]]:
    texts = {page.name: re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8")) for page in PAGES}
    return [(name, found) for name, text in texts.items() for found in COMMAND.findall(text)]


def links() -> list[tuple[Path, str]]:
    found = [(page, target) for page in PAGES for target in LINK.findall(page.read_text(encoding="utf-8"))]
    return [(page, target) for page, target in found if not re.match(r"[a-z]+:", target)]


@cache
def command_line() -> Any:
    """All commands: drawn up once, in a tenth of a second."""
    return typer.main.get_command(app)


def resolve(line: str) -> tuple[Any, list[str]]:
    """The command that a line names, and its arguments."""
    command, words = command_line(), shlex.split(line, comments=True)
    while hasattr(command, "commands"):
        assert words, f"{line!r} names no command"
        name = words.pop(0)
        assert name in command.commands, f"there is no command {name!r}"
        command = command.commands[name]
    return command, words


def parse(line: str) -> None:
    """Parse the arguments of a command as the command line would, without running it."""
    command, words = resolve(line)
    command.make_context(command.name, words)


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda value: value[:60])
def test_every_command_parses(page, line):
    parse(line)


@pytest.mark.parametrize("line", re.findall(r"`… ([^`]+)`", (ROOT / "docs" / "PAPERS.md").read_text(encoding="utf-8")))
def test_every_command_of_the_papers_exists_with_its_options(line):
    command, words = resolve(line)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", ["evaluat icon-RN,icons-200k icons", "evaluate MODEL SET --prompt simple", "fetch"])
def test_a_wrong_command_would_be_noticed(line):
    with pytest.raises(Exception, match=r"no command|[Nn]o such option"):
        parse(line)


def test_every_relative_link_leads_somewhere():
    lost = []
    for page, target in links():
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(f"{page.name} links to {target}")
    assert lost == []


@cache
def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_layout_table_names_every_kind():
    section = (ROOT / "docs" / "DATA.md").read_text(encoding="utf-8").partition("## Layouts")[2].partition("\n### ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(layouts())


def test_every_strategy_and_environment_variable_is_documented():
    from core.prompts import strategies

    methods = (ROOT / "docs" / "METHODS.md").read_text(encoding="utf-8")
    assert [strategy.id for strategy in strategies() if f"`{strategy.id}`" not in methods] == []
    data = (ROOT / "docs" / "DATA.md").read_text(encoding="utf-8")
    sources = [ROOT / "app.py", *(file for name in ("core", "cache", "pages") for file in (ROOT / name).rglob("*.py"))]
    used = {name for file in sources for name in re.findall(r"TAILSCOPE_[A-Z_]+", file.read_text(encoding="utf-8"))}
    assert [name for name in sorted(used) if f"`{name}`" not in data] == []
