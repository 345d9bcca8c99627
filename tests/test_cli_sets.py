"""Every command says what an image set was read as and how much of it was used, and can be told otherwise."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from core.cli import attacks, compare, composition, corruptions, counting, evaluation, prompts, shifts
from core.cli.app import app
from core.errors import BadInput, UnreadableData
from core.icons.concepts import concepts
from core.icons.corpus import draw
from core.icons.render import render
from tests.pictures import encoded, write_tar, write_tree

MODEL = "icon-RN,icons-10k"
FACTS = {"set_note", "n_found", "n_used", "skipped"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six icons of three concepts in images/, a table of nine rows with two columns that could be the class."""
    root = tmp_path_factory.mktemp("birds")
    (root / "images").mkdir()
    rows = ["file,breed,site"]
    for index in range(9):
        concept = concepts()[100 * (index % 3)]
        if index < 6:
            picture = render(draw(concept, np.random.default_rng([2, index]), (9, 0, index)))
            picture.save(root / "images" / f"{index}.png")
        rows.append(f"images/{index}.png,{concept.key},{'ab'[index % 2]}")
    (root / "birds.csv").write_text("\n".join(rows))
    return root


COMMANDS = {
    "evaluate": ["evaluate", MODEL, "SET"],
    "curve": ["curve", MODEL, "SET", "--frequency", "icons-10k", "--json"],
    "compare": ["compare", MODEL, "SET", "--prompts", "simple", "--prompts", "class"],
    "attacks": ["robustness", "attacks", MODEL, "SET", "--attack", "fgsm", "--n", "2", "--eps", "1"],
    "overlap": ["robustness", "overlap", MODEL, "SET", "--list", "LIST"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_json_says_what_was_detected_and_used(birds, name):
    (birds / "list.csv").write_text("images/0.png\n")
    names = {"SET": str(birds / "birds.csv"), "LIST": str(birds / "list.csv")}
    result = run(*[names.get(word, word) for word in COMMANDS[name]], "--label-column", "breed")
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    found = value[0] if isinstance(value, list) else value
    assert set(found) >= FACTS
    assert (found["n_found"], found["n_used"]) == (9, 6)
    assert [item["item"] for item in found["skipped"]] == [f"images/{n}.png" for n in (6, 7, 8)]
    line = "table, 3 classes: 6 of 9 images used, 3 skipped (3 × no such file or directory). Detected a table"
    assert line in found["set_note"]
    assert "class from column “breed”" in found["set_note"]
    assert line in result.stderr


def test_embed_and_prompts_say_it_too(birds):
    result = run("embed", MODEL, str(birds / "birds.csv"), "--label-column", "site")
    assert "table, 2 classes: 6 of 9 images used" in result.stderr
    assert "6 of 9 images embedded" in result.stdout
    assert "left out: images/8.png: no such file or directory" in result.stderr
    result = run("prompts", "export", str(birds / "birds.csv"), "--prompts", "simple", "--label-column", "site")
    assert list(json.loads(result.stdout)) == ["a", "b"]
    assert "class from column “site”" in result.stderr


def test_counting_images_says_what_it_looks_at(birds, tmp_path):
    (tmp_path / "concepts.txt").write_text("frog\nboat\n")
    options = ["--mode", "image", "--model", MODEL, "--label-column", "breed", "--json", "--out", str(tmp_path / "out")]
    result = run("frequency", "count", str(birds / "birds.csv"), "--concepts", str(tmp_path / "concepts.txt"), *options)
    assert (json.loads(result.stdout)["n_found"], json.loads(result.stdout)["n_used"]) == (9, 6)
    assert "table, 3 classes: 6 of 9 images used" in result.stderr


def test_retrieval_says_found_used_and_skipped(tmp_path):
    members = {f"{n}.png": encoded((n, 0, 0)) for n in range(4)} | {f"{n}.txt": "a picture" for n in range(3)}
    write_tar(tmp_path / "s" / "test" / "0.tar", dict(sorted(members.items())))
    result = run("evaluate", MODEL, str(tmp_path / "s"), "--task", "retrieval")
    found = json.loads(result.stdout)
    assert (found["n_images"], found["n_found"], found["n_used"], found["n_captions"]) == (4, 4, 3, 3)
    assert [item["item"] for item in found["skipped"]] == [item["item"] for item in found["left_out"]] == ["0/3"]
    assert "captions, 0 classes: 3 of 4 images used, 1 skipped" in found["set_note"]


CLASSIFIERS = [
    ["evaluate", MODEL, "SET"],
    ["compare", MODEL, "SET", "--prompts", "simple", "--prompts", "ensemble"],
    ["curve", MODEL, "SET", "--frequency", "icons-10k"],
    ["prompts", "export", "SET", "--prompts", "waffle"],
    ["prompts", "generate", "SET", "--base-url", "http://localhost:1/v1", "--model", "m", "--out", "OUT", "--yes"],
    ["robustness", "shifts", MODEL, "SET", "--shift", "icons-v2"],
    ["robustness", "attacks", MODEL, "SET"],
    ["robustness", "corruptions", MODEL, "SET"],
    ["robustness", "overlap", MODEL, "SET", "--against", "icons"],
    ["composition", MODEL, "SET"],
]


@pytest.mark.parametrize("arguments", CLASSIFIERS, ids=lambda words: " ".join(words[:2]))
def test_a_captions_set_is_one_sentence_everywhere(tmp_path, arguments):
    write_tar(tmp_path / "s" / "test" / "0.tar", {"a.png": encoded(), "a.txt": "an ant"})
    names = {"SET": str(tmp_path / "s"), "OUT": str(tmp_path / "out.json")}
    with pytest.raises(BadInput, match=r"captions and no classes.*--task retrieval"):
        run(*[names.get(word, word) for word in arguments])


@pytest.mark.parametrize(
    "arguments", [words for words in CLASSIFIERS if words[0] in ("evaluate", "curve") or words[1] == "attacks"]
)
def test_one_class_is_refused_unless_asked_for(tmp_path, arguments):
    root = write_tree(tmp_path / "s", {f"frog/{n}.png": encoded((n, 0, 0)) for n in range(2)})
    with pytest.raises(BadInput, match="every image would be correct"):
        run(*[str(root) if word == "SET" else word for word in arguments])


def test_one_class_that_was_asked_for_is_measured(tmp_path):
    root = write_tree(tmp_path / "s", {f"frog/{n}.png": encoded((n, 0, 0)) for n in range(2)})
    found = json.loads(run("evaluate", MODEL, str(root), "--label-column", "folder").stdout)
    assert found["classwise"]["frog"]["n"] == 2
    with pytest.raises(UnreadableData, match="called like a container"):
        run("evaluate", MODEL, str(write_tree(tmp_path / "t", {"images/0.png": encoded()})))


def test_every_command_that_opens_a_set_takes_the_options():
    for command in (
        evaluation.embed, evaluation.evaluate, evaluation.curve, compare.compare, composition.composition,
        attacks.attacks, corruptions.corruptions, shifts.shifts, shifts.overlap, prompts.export, prompts.generate,
        counting.count,
    ):  # fmt: skip
        assert {"label_column", "path_column", "split"} <= set(inspect.signature(command).parameters), command
