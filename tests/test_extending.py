"""The extensions of docs/EXTENDING.md, installed as a package is; broken ones, which are named and skipped."""

from __future__ import annotations

import json
import logging
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from core import plugins
from core.cli.app import app
from core.datasets import layouts, open_set
from core.errors import ExtensionFailed, UnknownName
from core.frequency import sources
from core.prompts import prompt_set, strategies
from core.robustness.attacks import ATTACKS, find, perturb
from core.robustness.attacks.plan import Plan

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "EXTENDING.md").read_text(encoding="utf-8")
MODULES = dict(re.findall(r"^`(tail_extras/\w+\.py)`:\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
PROJECT = tomllib.loads(re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1])["project"]

Install = Callable[[Mapping[str, str], Mapping[str, Mapping[str, str]]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package of these files with these entry points where Python finds it, until the test ends."""
    before = set(sys.modules)

    def put(files: Mapping[str, str], groups: Mapping[str, Mapping[str, str]]) -> None:
        site = tmp_path / "site"
        about = site / "tail_extras-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tail-extras\nVersion: 1.0\n")
        lines = [f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in named.items()) for group, named in groups.items()]
        (about / "entry_points.txt").write_text("\n".join(lines))
        for name, text in files.items():
            (site / name).parent.mkdir(exist_ok=True)
            (site / name).write_text(text)
        monkeypatch.syspath_prepend(site)
        plugins.forget()

    yield put
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if name.startswith("tail_extras"):
            del sys.modules[name]
    plugins.forget()


@pytest.fixture
def extras(install: Install) -> None:
    install(MODULES, PROJECT["entry-points"])


@pytest.fixture
def by_name(tmp_path: Path) -> Path:
    """A folder in the layout of the page's example."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "by-name.txt").touch()
    for index, name in enumerate(("anchor__1", "anchor__2", "bell__1")):
        Image.new("RGB", (8, 8), (40 * index, 0, 0)).save(folder / f"{name}.png")
    return folder


def test_the_page_has_one_example_of_each_kind() -> None:
    assert set(PROJECT["entry-points"]) == set(plugins.GROUPS)
    named = {value.partition(":")[0] for group in PROJECT["entry-points"].values() for value in group.values()}
    assert named == {name.removesuffix(".py").replace("/", ".") for name in MODULES}


@pytest.mark.usefixtures("extras")
def test_the_strategy_makes_sentences(by_name: Path) -> None:
    assert "shout" in {one.id for one in strategies()}
    assert prompt_set("shout", open_set(by_name)).sentences == (("A PHOTO OF A ANCHOR!",), ("A PHOTO OF A BELL!",))


@pytest.mark.usefixtures("extras")
def test_the_source_gives_counts() -> None:
    assert "library:titles" in {one.name for one in sources.list_sources()}
    assert sources.load_source("library:titles").counts == {"anchor": 120, "bell": 45, "yeti": 0}
    assert sources.records("library:titles")["bell"] == {"text": 45, "image": None, "integrated": None}
    assert sources.families_of("library:titles", ["anchor"]) == {}


@pytest.mark.usefixtures("extras")
def test_the_layout_is_detected_and_opened(by_name: Path) -> None:
    assert layouts()[-1] == "by-name"
    found = open_set(by_name)
    assert (found.kind, list(found.keys), found.labels.tolist()) == ("by-name", ["anchor", "bell"], [0, 0, 1])
    assert found.image(2).getpixel((0, 0)) == (80, 0, 0)
    assert open_set(by_name, names={"bell": "church bell"}).names == ["anchor", "church bell"]


@pytest.mark.usefixtures("extras")
def test_the_attack_runs_and_its_results_belong_to_its_version() -> None:
    assert find("brighten").package == "tail-extras 1.0"
    assert Plan("brighten", 2.0).about["package"] == "tail-extras 1.0"
    assert "package" not in Plan("fgsm", 2.0).about
    x, y = torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, dtype=torch.int64)
    assert torch.allclose(perturb(find("brighten"), lambda pixels: pixels, x, y, 0.1), x + 0.1)


@pytest.mark.usefixtures("extras")
def test_the_command_lists_them() -> None:
    told = json.loads(CliRunner().invoke(app, ["extensions", "--json"]).stdout)
    assert {one["name"] for one in told["extensions"]} == {"shout", "library", "by-name", "brighten"}
    assert told["skipped"] == []


def test_without_the_package_nothing_of_it_is_there() -> None:
    assert "brighten" not in ATTACKS
    with pytest.raises(UnknownName):
        sources.load_source("library:titles")


BROKEN = {
    "tail_extras/raises.py": "raise RuntimeError('no licence')",
    "tail_extras/wrong.py": "STRATEGY = 'shout'\nPROVIDER = object()\nFORMAT = ATTACK = 3",
    "tail_extras/taken.py": "from tailscope.extend import Strategy\nSTRATEGY = Strategy('simple', '', '', print)",
    "tail_extras/fails.py": (
        "from tailscope.extend import Format, Strategy, SourceInfo\n"
        "def fail(*args, **options): raise KeyError('oh')\n"
        "STRATEGY = Strategy('fails', '', '', fail)\n"
        "FORMAT = Format('fails', fail, fail)\n"
        "OPENS = Format('opens', lambda path: (path / 'by-name.txt').exists(), fail)\n"
        "class Provider:\n    infos = table = records = families = fail\n"
        "PROVIDER = Provider()\n"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "value", "reason"),
    [
        ("prompts", "raises:STRATEGY", "RuntimeError: no licence"),
        ("prompts", "absent:STRATEGY", "No module named 'tail_extras.absent'"),
        ("prompts", "wrong:STRATEGY", "it is of the type str, not Strategy"),
        ("prompts", "taken:STRATEGY", "'simple' exists already"),
        ("frequency", "wrong:PROVIDER", "it is of the type object, not Provider"),
        ("frequency", "fails:PROVIDER", "it cannot list its sources"),
        ("datasets", "wrong:FORMAT", "it is of the type int, not Format"),
        ("attacks", "wrong:ATTACK", "it is of the type int, not Attack"),
    ],
)
def test_a_broken_extension_is_named_once_and_skipped(
    install: Install, caplog: pytest.LogCaptureFixture, group: str, value: str, reason: str
) -> None:
    before = len(strategies()), len(sources.list_sources()), layouts(), list(ATTACKS)
    install(BROKEN, {f"tailscope.{group}": {"mine": f"tail_extras.{value}"}})
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert (len(strategies()), len(sources.list_sources()), layouts(), list(ATTACKS)) == before
    (sentence,) = plugins.problems()
    assert sentence.startswith(f"The extension mine of tail-extras 1.0 (tailscope.{group}) is skipped: ")
    assert reason in sentence
    assert [record.message for record in caplog.records] == [sentence]
    told = json.loads(CliRunner().invoke(app, ["extensions", "--json"]).stdout)
    assert told == {"extensions": [], "skipped": [sentence]}


def test_an_extension_that_fails_to_look_is_passed_over(install: Install, by_name: Path) -> None:
    install(BROKEN, {"tailscope.datasets": {"mine": "tail_extras.fails:FORMAT"}})
    (by_name / "a").mkdir()
    Image.new("RGB", (8, 8)).save(by_name / "a" / "1.png")
    assert open_set(by_name).kind == "folders"
    assert "failed to look at pictures (KeyError: 'oh')" in plugins.problems()[0]


def test_an_extension_that_fails_later_fails_what_was_asked_of_it_by_name(install: Install, by_name: Path) -> None:
    install(
        BROKEN,
        {
            "tailscope.prompts": {"mine": "tail_extras.fails:STRATEGY"},
            "tailscope.datasets": {"mine": "tail_extras.fails:OPENS"},
        },
    )
    with pytest.raises(ExtensionFailed, match=r"mine of tail-extras 1\.0 \(tailscope\.datasets\) failed: KeyError"):
        open_set(by_name)
    with pytest.raises(ExtensionFailed, match=r"mine of tail-extras 1\.0 \(tailscope\.prompts\) failed: KeyError"):
        prompt_set("fails", open_set("icons-tail"))
