"""Captions, concepts and requests to count them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from hypothesis import strategies as st

from core.counting import run

CONCEPTS = {
    "snake": "snake", "night snake": "night snake", "crane": "crane", "Crane": "Crane", "747-300": "747-300",
    "dog": "dog", "punct": "?!", "apple": "apple",
}  # fmt: skip


CAPTIONS = [
    "a night snake", "Night_Snakes and a snake", "two dogs", "the dog's apple", "a red apple", "an apple, red",
    "cranes over a 747-300", "a 747", "dogs dogs dogs", "nothing here", "a red dog and a red apple", "green dog",
]  # fmt: skip


def as_lines(path: Path, captions: list[str]) -> Path:
    path.write_text("".join(json.dumps({"key": f"k{n}", "text": text}) + "\n" for n, text in enumerate(captions)))
    return path


def request(captions: Path, mode: str = "text", **more) -> run.Request:
    return run.Request(str(captions), more.pop("names", CONCEPTS), mode=mode, **more)


def table(out: Path) -> dict[str, tuple[str, str, str]]:
    with (out / "counts.csv").open(newline="") as file:
        return {row["concept"]: (row["count"], row["status"], row["query"]) for row in csv.DictReader(file)}


words = st.sampled_from(
    ["dog", "Dogs", "red", "cat", "cats,", "tree-frog", "tree frogs", "-", "Äpfel", "ﬁn", "e\u0301", "\u3000", "dog's",
     "dog’s", "747", "747-300", "a_b", "red.cat", "x\x1cy", "\xa0", "İ", "ǅ", "\x00", "\x01", "\x02", "\x03", "cat-",
     "'s", "’s", "&amp;", "&#39;s", "dog%27s", "%", "+", "猫", "白い猫", "dog猫", "고양이가", "แมว", "die", "dice", "a",
     "of", "feet", "foot", "\u200b", "™", "\ufe0f", "\udfff"]
)  # fmt: skip
