"""README's tutorial on better prompts: its commands run as written, and its figures are what they print."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from core.cli.app import app

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
TUTORIAL = README.partition("\n## Find out whether better prompts help your tail\n")[2].partition("\n## ")[0]
MODEL_AND_SET = "icon-RN,icons-200k::icons::"


def commands() -> list[list[str]]:
    """Every ``python -m core`` line of the tutorial as arguments, lines joined where they continue."""
    text = re.sub(r"\\\n\s*", "", TUTORIAL)
    return [shlex.split(line, comments=True) for line in re.findall(r"^python -m core (.+)$", text, re.MULTILINE)]


def quoted() -> list[str]:
    """The findings that the tutorial quotes from the program."""
    quotes = re.findall(r"(?:^> .*\n)+", TUTORIAL, re.MULTILINE)
    return [" ".join(quote.replace("> ", "").split()) for quote in quotes]


def table(results: list[dict]) -> list[str]:
    """The tutorial's table made from the files that the commands write."""
    rows = {}
    for result in results:
        against = {pair["b"]: pair for pair in result["pairs"] if pair["a"].endswith("::simple")}
        for id, one in result["lenses"].items():
            strategy = id.removeprefix(MODEL_AND_SET)
            parts = " | ".join(f"{100 * one[name]:.1f}" for name in ("acc1", "head", "torso", "tail"))
            delta = "–"
            if id in against:
                pair = against[id]
                delta = f"{100 * pair['delta']:+.1f} ({100 * pair['low']:.1f} to {100 * pair['high']:.1f})"
                clear = (pair["low"] > 0 or pair["high"] < 0) and pair["p_holm"] < 0.05
                delta += "" if clear else ", may be noise"
            rows[strategy] = f"| `{strategy}` | {parts} | {delta.replace('-', '−')} |"
    return list(rows.values())


def test_the_tutorial_is_there_and_its_links_lead_into_the_lab():
    assert len(commands()) >= 3
    assert quoted()
    links = re.findall(r"http://127\.0\.0\.1:8501\S+?(?=[)\s`])", TUTORIAL)
    assert links
    for link in map(urlsplit, links):
        assert link.path in ("/lab", "/inspector", "/failures")
        assert set(parse_qs(link.query)) <= {"lenses", "lab-view", "renames", "prompts", "inspect", "fail"}


@pytest.mark.slow
def test_the_commands_of_the_tutorial_run_and_print_its_figures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed, written = "", []
    for words in commands():
        # The band of random words takes a minute for its seven seeds; the first of them is the row of the table.
        quicker = [*words, "--seeds", "1"] if "waffle" in words else words
        done = CliRunner().invoke(app, quicker)
        assert done.exit_code == 0, done.output
        printed += done.output
        if words[0] == "compare":
            written.append(json.loads(Path(words[words.index("--out") + 1]).read_text()))
    found = " ".join(printed.replace(MODEL_AND_SET, "").split())
    for sentence in quoted():
        assert sentence in found
    rows = [line for line in TUTORIAL.splitlines() if line.startswith("| `")]
    assert rows == [row for row in table(written) if "mine.json" not in row]
    mine, full = (
        next(one for result in written for id, one in result["lenses"].items() if id == f"{MODEL_AND_SET}{strategy}")
        for strategy in ("mine.json", "cupl-full")
    )
    assert {name: mine[name] for name in ("acc1", "tail")} == {name: full[name] for name in ("acc1", "tail")}
