"""Free-text and multiple-choice answers matched with classes, by hand-made examples and plain recomputation."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.cli.app import app
from core.datasets import open_set
from core.errors import BadInput, Stopped, UnreadableData
from core.evaluation import free_text, imported, picture_questions
from core.evaluation.picture_questions import Asked, ask_about, cost
from core.types import Progress
from tests.helpers.commands import output
from tests.helpers.llm import SECRET, StandIn

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
    # The plain rule of the papers' code: folded hyphens are missed, and nothing else here.
    assert found.letters == pytest.approx(1 / 6)
    table = {name: (accuracy, n) for _, name, accuracy, n in free_text.by_class(found, image_set)}
    assert table == {"hot dog": (0.5, 2), "dog": (0.5, 2), "crane fly": (0.0, 1), "black-footed ferret": (1.0, 1)}


@pytest.mark.parametrize(
    ("answer", "correct"),
    [("B", True), ("(b)", True), ("B. dog", True), ("The answer is: B", True), ("dog", True), ("It is a dog.", True),
     ("A", False), ("hot dog", False), ("I see a hot dog.", False), ("Z", False), ("", False)],
)  # fmt: skip
def test_a_choice_is_read_from_letter_or_text(photos: Path, tmp_path: Path, answer: str, correct: bool) -> None:
    rows = [{"image": "dog/0.png", "answer": answer, "options": ["hot dog", "dog", "crane fly"]}]
    image_set = open_set(str(photos))
    replies, _ = free_text.read(written(tmp_path / "a.jsonl", rows), image_set)
    assert free_text.match(replies, image_set, how="choice").correct.tolist() == [correct]
    with pytest.raises(BadInput, match="options"):
        free_text.match([free_text.Reply(0, "A")], image_set, how="choice")
    row = image_set.image_ids.index("hot dog/0.png")
    for text in ("hot dog", "It is a hot dog!"):
        found = free_text.match([free_text.Reply(row, text, ("dog", "hot dog"))], image_set, how="choice")
        assert found.correct.tolist() == [True]
    image_set.names[:2] = ["dog", "dog"]  # two classes of one name cannot be told apart by it
    found = free_text.match(
        [free_text.Reply(one, "a dog", ("dog", "crane fly")) for one in range(4)], image_set, how="choice"
    )
    assert found.correct.tolist() == [image_set.labels[one] < 2 for one in range(4)]


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
    assert told["low"] < 5 / 8 < told["high"]
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


def asked(endpoint: StandIn, **more: object) -> Asked:
    return Asked(base_url=endpoint.url, model="small-vlm", **more)  # type: ignore[arg-type]


def pictures_sent(endpoint: StandIn) -> list[Image.Image]:
    found = []
    for request in endpoint.requests:
        text, picture = request["messages"][-1]["content"]
        assert (text["type"], picture["type"]) == ("text", "image_url")
        kind, _, data = picture["image_url"]["url"].partition(",")
        assert kind == "data:image/jpeg;base64"
        found.append(Image.open(io.BytesIO(base64.b64decode(data))))
    return found


@pytest.mark.slow
def test_a_model_is_asked_about_pictures_and_its_answers_are_read(
    photos: Path, tmp_path: Path, endpoint: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILSCOPE_LLM_KEY", SECRET)
    endpoint.contents = ["<think>a cat?</think>A dog."] * 8
    Image.new("RGB", (900, 300)).save(photos / "dog" / "0.png")
    out, common = tmp_path / "replies.jsonl", ["--base-url", endpoint.url, "--model", "small-vlm"]
    arguments = ["answers", "ask", str(photos), *common, "--out", str(out), "--side", "64"]
    refused = CliRunner().invoke(app, arguments, input="n\n")
    assert refused.exit_code == 1
    assert "4 pictures, about 0.0 MB: 4 requests" in refused.stderr
    assert not endpoint.requests
    told = output(*arguments, "--per-class", "2", "--yes")
    assert (told["n"], told["n_empty"], told["n_unanswered"], told["models"]) == (8, 0, 0, ["stand-in-1b"])
    assert (told["tokens_in"], told["tokens_out"], told["n_used"]) == (80, 40, 8)
    assert sorted(picture.size for picture in pictures_sent(endpoint)) == [(8, 8)] * 7 + [(64, 21)]
    assert {r["messages"][-1]["content"][0]["text"] for r in endpoint.requests} == {picture_questions.OPEN}
    assert endpoint.keys == {f"Bearer {SECRET}"}
    assert SECRET not in out.read_text()
    read = output("answers", "read", str(out), "--set", str(photos), "--model", "small-vlm")
    assert (read["n"], read["acc1"]) == (8, 2 / 8)
    # Everything is answered: nothing is sent again. Another question needs another file.
    assert output(*arguments, "--per-class", "2")["n"] == 8
    assert len(endpoint.requests) == 8
    other = CliRunner().invoke(app, [*arguments, "--options", "3", "--yes"])
    assert "give another file" in str(other.exception or other.stderr)


def test_options_hold_the_true_name_and_are_asked_as_published(photos: Path, tmp_path: Path, endpoint: StandIn) -> None:
    image_set, out = open_set(str(photos)), tmp_path / "o.jsonl"
    three = asked(endpoint, options=3, per_class=2)
    questions = picture_questions.questions(three, image_set)
    for one in questions:
        assert image_set.names[image_set.labels[one.row]] in one.options
        assert len(set(one.options)) == 3
        assert one.text == f'What type of object is in this photo? Choose one from "{", ".join(one.options)}".'
    assert len({one.options.index(image_set.names[image_set.labels[one.row]]) for one in questions}) > 1
    few = picture_questions.questions(asked(endpoint, options=3, most=3), image_set)
    assert few == questions[:3]  # a smaller sample is part of a larger one
    endpoint.contents = [image_set.names[image_set.labels[one.row]] for one in questions]
    ask_about(three, image_set, out, parallel=1)
    kept = free_text.keep(out, image_set, model="small-vlm", how="choice")
    assert kept.found.accuracy.value == 1


def test_a_stopped_run_goes_on_and_a_refused_picture_is_named(photos: Path, tmp_path: Path, endpoint: StandIn) -> None:
    image_set, out, all_of_them = open_set(str(photos)), tmp_path / "o.jsonl", asked(endpoint, per_class=2)

    def stop(progress: Progress) -> None:
        if progress.done >= 3:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        ask_about(all_of_them, image_set, out, report=stop, parallel=1)
    with out.open("a") as file:
        file.write('{"image": "cut')
    left = cost(all_of_them, image_set, out, price_in=1e6, price_out=0.0)
    assert (left.pictures, left.estimate.done) == (5, 3)
    # Eight by eight pixels are one tile: 85 + 170, eight of format, and the 37 letters of the question.
    assert left.estimate.tokens_in == np.ceil(5 * (37 / 4 + 8 + 85 + 170)) == left.estimate.cost
    endpoint.fail = [400]
    made = ask_about(all_of_them, image_set, out, parallel=1)
    assert (made.n, len(made.skipped), len(endpoint.requests)) == (7, 1, 7)
    assert "answered 400" in made.notes[-1]
    endpoint.fail = [401] * 9
    more = open_set(str(photos))
    with pytest.raises(BadInput, match="answered 401"):
        ask_about(asked(endpoint, per_class=2, seed=1), more, tmp_path / "new.jsonl", parallel=1)
    assert len(endpoint.fail) == 9 - picture_questions.REFUSED_IN_A_ROW


def test_what_cannot_be_asked_is_refused(photos: Path, tmp_path: Path, endpoint: StandIn) -> None:
    for more, words in (({"options": 1}, "two options"), ({"question": "{options}?"}, "slot"), ({"side": 8}, "side"),
                        ({"options": 2, "question": "What?"}, "slot"), ({"max_tokens": 0}, "tokens")):  # fmt: skip
        with pytest.raises(BadInput, match=words):
            asked(endpoint, **more)
    (tmp_path / "other.jsonl").write_text('{"image": "a", "answer": "b"}\n')
    with pytest.raises(UnreadableData, match="line 1"):
        cost(asked(endpoint), open_set(str(photos)), tmp_path / "other.jsonl")
