"""The commands about the tail on a real model and a few pictures: one JSON each, with what was used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.commands import EACH, MODEL, SHOWN, output


@pytest.mark.slow
def test_adjust_and_few_shot_tell_before_and_after(folder: Path, tmp_path: Path) -> None:
    found = output("adjust", MODEL, str(folder), "--method", "label-free", "--permutations", "5")
    assert found["frequency"] == "icons-200k"
    assert (found["n_found"], found["n_used"], found["permutations"]) == (40, 40, 5)
    groups = {one["group"]: one for one in found["groups"]}
    assert groups["all"]["n"] == SHOWN * EACH
    change = groups["all"]["fixed"] - groups["all"]["broken"]
    assert groups["all"]["change"]["value"] == pytest.approx(change / (SHOWN * EACH))
    assert found["sweep"][0]["all"] == pytest.approx(groups["all"]["before"]["value"])

    few = output("few-shot", MODEL, str(folder), "--shots", "1", "--shots", "2", "--seeds", "2")
    assert [(one["shots"], one["head"], one["pictures"]) for one in few["points"]] == [
        (1, "mixed", 10), (1, "alone", 10), (2, "mixed", 20), (2, "alone", 20),
    ]  # fmt: skip
    assert few["points"][0]["groups"][0]["n"] == SHOWN * EACH // 2
    tail = output("few-shot", MODEL, str(folder), "--support", str(folder), "--only", "tail", "--shots", "1")
    assert tail["points"][0]["pictures"] == sum(one["classes"] for one in found["groups"] if one["group"] == "tail")
