"""Other names from a file as a strategy, and which name of a class is counted most."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadInput, UnknownName, UnreadableData
from core.prompts import other_names, prompt_set
from core.types import ClassNames, FrequencyTable
from tests.helpers.commands import output

BIRDS = ClassNames("birds", ["barn_owl", "robin", "kea"], ["barn owl", "robin", "kea"])


def names_file(folder: Path, text: str) -> str:
    path = folder / "names.csv"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("start", ["", "class,name\n"])
def test_each_class_takes_its_first_other_name(tmp_path: Path, start: str) -> None:
    path = names_file(tmp_path, start + "Barn-owl,Tyto alba\nrobin,Erithacus rubecula\nrobin,redbreast\nemu,Dromaius\n")
    made = prompt_set(f"other-name:{path}", BIRDS)
    assert made.sentences == (
        ("a photo of a Tyto alba.",), ("a photo of a Erithacus rubecula.",), ("a photo of a kea.",),
    )  # fmt: skip
    assert "kea" in made.notes[0]


def test_the_name_counted_most(tmp_path: Path) -> None:
    path = names_file(tmp_path, "barn owl,Tyto alba\nrobin,Erithacus rubecula\nrobin,redbreast\n")
    table = FrequencyTable("t", "s", "text", {"barn owl": 5, "Tyto alba": 80, "robin": 7, "redbreast": 7})
    names, _ = other_names.read(BIRDS, path)
    found = other_names.counted(BIRDS, table, names)
    assert [one.chosen for one in found] == ["Tyto alba", "robin", "kea"]
    assert found[0].counts == {"barn owl": 5, "Tyto alba": 80}
    assert other_names.headline(found, "t").startswith("1 of 2 classes")


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("a,b,c\n", UnreadableData, "line 1"),
        ("emu,Dromaius\n", UnreadableData, "no class"),
        (None, UnknownName, "no file"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, text: str | None, error, words: str) -> None:
    path = names_file(tmp_path, text) if text else str(tmp_path / "none.csv")
    with pytest.raises(error, match=words):
        prompt_set(f"other-name:{path}", BIRDS)
    with pytest.raises(BadInput, match="two columns"):
        prompt_set("other-name", BIRDS)


def test_the_command_audits_names_against_counts() -> None:
    found = output("prompts", "names", "icons-tail", "--frequency", "icons-200k")
    assert found["n_classes"] == len(found["classes"])
    first = found["classes"][0]
    assert first["counts"][first["name"]] >= 0
    assert first["most_counted"] == first["name"]
