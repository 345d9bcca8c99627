"""What prompts lost is told: sentences cut at the context length, classes that nothing was said about."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.analysis import compare, findings
from core.analysis import curve as curves
from core.analysis import random_words_band as waffle_band
from core.cli.app import app
from core.evaluation.evaluate import assemble
from core.prompts import notes as prompt_notes
from core.types import Answer, FrequencyTable, Lens, PromptSet, Reading
from tests.fakes import FakeEncoder, FakeImageSet
from tests.tiny import save

FILLER = " ".join(["colour"] * 80)


def prompts(*listed: tuple[str, ...], notes: tuple[str, ...] = ()) -> PromptSet:
    return PromptSet("own", listed, notes=notes)


def answer(read: Reading, *, classes: int = 4, made: PromptSet | None = None, seed: int = 0) -> Answer:
    images = FakeImageSet(classes=classes, n=40)
    rng = np.random.default_rng(seed)
    top = np.argsort(rng.random((40, classes)), axis=1).astype(np.int32)
    ones = np.ones(40, np.float32)
    stored = {"rows": np.arange(40), "top": top, "scores": top.astype(np.float32), "margin": ones, "probability": ones}
    about = {"left_out": [], "fingerprint": {}, "reading": json.loads(json.dumps(asdict(read)))}
    return assemble(Lens("fake,fake", images.id, "own"), images, stored, about=about, prompts=made)


def test_short_sentences_are_read_whole_and_need_no_tokenizer():
    class Untouched(FakeEncoder):
        def token_counts(self, texts):
            assert not texts
            return []

    found = prompt_notes.read_of(Untouched(), prompts(("a word0",), ("a word1", "the word1")))
    assert found == Reading(3, 0, 77)
    assert prompt_notes.notes_on(None, found, ["a", "b"]) == ()


@pytest.mark.parametrize(
    ("listed", "cut", "classes", "alike"),
    [
        # Everything that tells the classes apart stands behind the cut.
        ([(f"{FILLER} word{i}",) for i in range(4)], 4, (0, 1, 2, 3), (0, 1, 2, 3)),
        # The name comes first: cut, but read differently.
        ([(f"word{i} {FILLER} long",) for i in range(4)], 4, (0, 1, 2, 3), ()),
        # One sentence of several.
        ([("word0", f"word0 {FILLER}"), ("word1",), ("word2",), ("word3",)], 1, (0,), ()),
        # Two of four.
        ([(f"{FILLER} word0",), (f"{FILLER} word1",), ("word2",), ("word3",)], 2, (0, 1), (0, 1)),
        # Classes that share one list are no fault of the cut.
        ([(f"{FILLER} same",), (f"{FILLER} same",), ("word2",), ("word3",)], 2, (0, 1), ()),
        # Several sentences in another order.
        ([(f"a {FILLER} x", "b"), ("b", f"a {FILLER} y"), ("c",), ("d",)], 2, (0, 1), (0, 1)),
    ],
)
def test_what_is_cut_and_what_reads_alike(listed, cut, classes, alike):
    found = prompt_notes.read_of(FakeEncoder(), prompts(*listed))
    assert (found.cut, found.cut_classes, found.alike) == (cut, classes, alike)
    names = [f"name{i}" for i in range(4)]
    told = prompt_notes.notes_on(prompts(*listed, notes=("From the file.",)), found, names)
    assert told[0] == "From the file."
    assert f"{cut} of {sum(map(len, listed))} sentences" in told[1]
    assert ("all 4 classes" in told[1]) == (len(classes) == 4)
    if len(classes) < 4:
        assert all(names[i] in told[1] for i in classes)
    assert len(told) == 2 + bool(alike)
    assert bool(prompt_notes.unread(found, 4)) == (len(alike) >= 2)
    assert bool(prompt_notes.content_unread(found)) == (2 * cut >= sum(map(len, listed)))


ALIKE = Reading(4, 4, 77, (0, 1, 2, 3), (0, 1, 2, 3))
CUT = Reading(4, 3, 77, (0, 1, 2), ())


def test_no_finding_is_made_of_sentences_that_are_not_read():
    bad, good = answer(ALIKE), answer(Reading(4, 0, 77), seed=1)
    table = FrequencyTable("t", "here", "text", {f"key{i}": 10**i for i in range(4)})
    found = curves.curve(bad, table)
    assert curves.headline(found).startswith("There is no trend to see: 4 of 4 sentences are cut at the 77 tokens")
    assert np.isnan(found.slope_per_decade.value)
    assert np.isnan(found.pearson.value)
    assert not np.isnan(curves.curve(good, table).pearson.value)
    assert "no trend to see" in curves.headline(curves.curve(bad, table, recipe="paper"))
    compared = compare.compare({"good": good, "bad": bad})
    told = compare.headline(compared.pairs[0], names={"good": "A", "bad": "B"})
    assert told.startswith("Nothing can be compared. B: 4 of 4 sentences are cut")
    assert compare.as_json(compared, [str(i) for i in range(40)])["pairs"][0]["unread"].keys() == {"bad"}
    assert not compare.compare({"good": good, "cut": answer(CUT)}).pairs[0].unread
    assert "mean nothing: " in findings.overall(bad)
    assert "classified correctly" in findings.overall(good)


def test_content_that_is_not_read_adds_neither_something_nor_nothing():
    drawn = waffle_band.band([0.60, 0.61, 0.62])
    assert "adds nothing" in waffle_band.against("x", 0.605, drawn, Reading(4, 1, 77, (0,), ()))
    for read in (ALIKE, CUT):
        told = waffle_band.against("x", 0.605, drawn, read)
        assert "so a comparison with random words tells nothing" in told
        assert "adds nothing" not in told


def test_an_answer_carries_its_notes():
    made = prompts(*[(f"word{i}",) for i in range(4)], notes=("1 class has no sentences.",))
    found = answer(CUT, made=made)
    assert found.prompt_notes[0] == "1 class has no sentences."
    assert (
        "3 of 4 sentences are cut at the 77 tokens that the model reads, in 3 of 4 classes: word0"
        in (found.prompt_notes[1])
    )
    assert found.reading == CUT
    assert replace(found, prompt_notes=()).reading == CUT


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A model of 24 tokens, two folders of coloured pictures in four classes, and prompt files about them."""
    root = tmp_path_factory.mktemp("world")
    names = ("red", "green", "blue", "grey hill")
    for folder, size in (("val", 40), ("shifted", 36)):
        for index, name in enumerate(names):
            (root / folder / name).mkdir(parents=True)
            for n in range(2):
                colour = [60 * index + 20 * n, 200 - 50 * index, 40 * n]
                Image.new("RGB", (size, size), tuple(colour)).save(root / folder / name / f"{n}.png")
    late = {name: [f"{FILLER} {name}"] for name in names}
    few = {"Grey-Hill": ["a hill."], "RED": ["a red one."]}
    for name, content in (("late", late), ("few", few)):
        (root / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return f"local-dir:{save(root / 'model')}", root


def run(*arguments: object) -> tuple[str, str]:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout, done.stderr


NOTES = {
    "late": ("are cut at the 24 tokens that the model reads, in all 4 classes",),
    "few": ("2 classes have no sentences and use their bare name: blue, green", "Grey-Hill"),
}


@pytest.mark.parametrize("file", ["late", "few"])
@pytest.mark.parametrize("command", ["evaluate", "compare", "shifts", "overlap", "attacks", "corruptions"])
def test_every_command_tells(world, command, file, tmp_path):
    model, root = world
    prompts_file = root / f"{file}.json"
    own = ("--prompts", prompts_file)
    (tmp_path / "list.txt").write_text("red/0.png\n")
    arguments: dict[str, tuple[object, ...]] = {
        "evaluate": ("evaluate", model, root / "val", *own),
        "compare": ("compare", model, root / "val", "--prompts", "simple", *own),
        "shifts": ("robustness", "shifts", model, root / "val", "--shift", root / "shifted", *own),
        "overlap": ("robustness", "overlap", model, root / "val", "--list", tmp_path / "list.txt", *own),
        "attacks": ("robustness", "attacks", model, root / "val", "--attack", "noise", "--eps", "1", "--n", "8", *own),
        "corruptions": (
            "robustness", "corruptions", model, root / "val", "--corruption", "contrast", "--severity", "1",
            "--reference", "none", *own,
        ),
    }  # fmt: skip
    if command == "corruptions":
        pytest.importorskip("imagecorruptions")
    out, told = run(*arguments[command])
    content = json.loads(out)
    if command == "compare":
        assert content["lenses"][f"{model}::{root / 'val'}::simple"]["prompt_notes"] == []
        content = content["lenses"][f"{model}::{root / 'val'}::{prompts_file}"]
    rows = content if isinstance(content, list) else [content]
    for note in NOTES[file]:
        assert all(any(note in one for one in row["prompt_notes"]) for row in rows)
        assert note in told
    if command == "compare" and file == "late":
        out, _ = run(*arguments["compare"], "--out", tmp_path / "c.json")
        assert "Nothing can be compared" in out


def test_the_curve_tells_and_finds_nothing_in_what_is_not_read(world, monkeypatch):
    model, root = world
    table = FrequencyTable("mine", "here", "text", {"red": 1, "green": 10, "blue": 100, "grey hill": 1000})
    monkeypatch.setattr("core.frequency.sources.load_source", lambda *_, **__: table)
    base = ("curve", model, root / "val", "--frequency", "mine", "--prompts", root / "late.json")
    out, told = run(*base, "--json")
    content = json.loads(out)
    assert content["slope_per_decade"] == {"value": None, "low": None, "high": None}
    assert NOTES["late"][0] in content["prompt_notes"][0]
    assert "cannot tell them apart" in content["unread"]
    assert NOTES["late"][0] in told
    out, told = run(*base)
    assert out.startswith("There is no trend to see")
    assert NOTES["late"][0] in told


def test_the_export_tells_on_standard_error(world):
    out, told = run("prompts", "export", world[1] / "val", "--prompts", world[1] / "few.json")
    assert json.loads(out)["grey hill"] == ["a hill."]
    assert all(note in told for note in NOTES["few"])
