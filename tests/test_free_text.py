"""Free-text and multiple-choice answers matched with classes, by hand-made examples and plain recomputation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.datasets import open_set
from core.errors import BadInput, UnreadableData
from core.evaluation import free_text, imported
from tests.helpers.commands import output

NAMES = ("hot dog", "dog", "crane fly", "black-footed ferret")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in NAMES:
        (root / name).mkdir(parents=True)
        for index in range(2):
            Image.new("RGB", (8, 8), (index * 40, 9, 9)).save(root / name / f"{index}.png")
    return root


def written(path: Path, rows: list[dict]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def test_inclusion_is_by_words_and_needs_the_true_name(photos: Path, tmp_path: Path) -> None:
    rows = [
        {"image": "hot dog/0.png", "answer": "I see two Hot-Dogs on a plate."},
        {"image": "hot dog/1.png", "answer": "A hotdogger."},
        {"image": "dog/0.png", "answer": "A puppy."},
        {"image": "dog/1.png", "answer": "Either a dog or a crane fly."},
        {"image": "crane fly/0.png", "answer": "a dog"},
        {"image": "black-footed ferret/1.png", "answer": "Black footed ferrets, surely"},
        {"image": "nowhere.png", "answer": "dog"},
    ]
    image_set = open_set(str(photos))
    replies, unknown = free_text.read(written(tmp_path / "a.jsonl", rows), image_set)
    assert unknown == ("nowhere.png",)
    found = free_text.match(replies, image_set, how="inclusion", unknown=unknown)
    assert found.correct.tolist() == [True, False, False, True, False, True]
    assert (found.nothing, found.several) == (2, 2)  # "hot dogs" names the dog too
    table = {name: (accuracy, n) for _, name, accuracy, n in free_text.by_class(found, image_set)}
    assert table == {"hot dog": (0.5, 2), "dog": (0.5, 2), "crane fly": (0.0, 1), "black-footed ferret": (1.0, 1)}


@pytest.mark.parametrize(
    ("answer", "correct"),
    [("B", True), ("(b)", True), ("B. dog", True), ("The answer is: B", True), ("dog", True), ("It is a dog.", True),
     ("A", False), ("hot dog", False), ("Z", False), ("", False)],
)  # fmt: skip
def test_a_choice_is_read_from_letter_or_text(photos: Path, tmp_path: Path, answer: str, correct: bool) -> None:
    rows = [{"image": "dog/0.png", "answer": answer, "options": ["hot dog", "dog", "crane fly"]}]
    image_set = open_set(str(photos))
    replies, _ = free_text.read(written(tmp_path / "a.jsonl", rows), image_set)
    assert free_text.match(replies, image_set, how="choice").correct.tolist() == [correct]
    with pytest.raises(BadInput, match="options"):
        free_text.match([free_text.Reply(0, "A")], image_set, how="choice")


def test_similarity_takes_the_nearest_name(photos: Path) -> None:
    image_set = open_set(str(photos))
    rng = np.random.default_rng(0)
    table: dict[str, np.ndarray] = {}

    def encode(texts):
        for text in texts:
            table.setdefault(text, rng.normal(size=5))
        rows = np.stack([table[text] for text in texts])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    replies = [free_text.Reply(row, f"answer {row}") for row in range(8)]
    found = free_text.match(replies, image_set, how="similarity", encode=encode)
    cosines = encode([reply.text for reply in replies]) @ encode(list(image_set.names)).T
    assert found.predicted.tolist() == cosines.argmax(1).tolist()
    truth = np.asarray(image_set.labels)
    assert found.closeness == pytest.approx(np.mean([cosines[i, truth[i]] for i in range(8)]))


def test_the_command_keeps_an_answer_that_other_commands_take(photos: Path, tmp_path: Path) -> None:
    rows = [
        {"image": f"{name}/{i}.png", "answer": "a dog" if i else f"this is a {name}"} for name in NAMES for i in (0, 1)
    ]
    file = written(tmp_path / "mllm.jsonl", rows)
    told = output("answers", "read", str(file), "--set", str(photos), "--model", "my-vlm")
    assert (told["n"], told["acc1"], told["n_unknown"]) == (8, 5 / 8, 0)
    answer = imported.load("mllm")
    assert (answer.lens.model, answer.origin) == ("my-vlm", "imported")
    assert {score.name: score.accuracy for score in answer.classes}["dog"] == 1.0
    assert output("answers", "list", "--json")[0]["model"] == "my-vlm"


@pytest.mark.parametrize(
    ("line", "words"), [("no json", "line 1"), ('{"image": 3, "answer": "x"}', "texts"), ("[1]", "line 1"),
                        ('{"image": "q.png", "answer": "x"}', "names no picture")],
)  # fmt: skip
def test_a_bad_file_is_one_sentence(photos: Path, tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(line)
    with pytest.raises((UnreadableData, BadInput), match=words):
        free_text.read(file, open_set(str(photos)))
