"""Second labels and pairs of concepts by hand-made answers and plain recomputation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.analysis import second_labels
from core.datasets.names import imagenet_classes
from core.errors import BadInput, UnreadableData
from tests.answers import make_answer
from tests.helpers.commands import MODEL, output

WNIDS = [wnid for wnid, _ in imagenet_classes()]


def val_set(chosen=(3, 7, 9), each: int = 4):
    """Validation pictures of three classes under their ImageNet names."""
    labels = np.repeat(np.arange(len(chosen)), each)
    ids = [f"{WNIDS[chosen[label]]}/ILSVRC2012_val_{row + 1:08d}.JPEG" for row, label in enumerate(labels)]
    return SimpleNamespace(
        id="val", keys=[WNIDS[i] for i in chosen], names=["three", "seven", "nine"], labels=labels, image_ids=ids
    )


def test_real_counts_any_accepted_label_and_leaves_out_pictures_without() -> None:
    images = val_set()
    real = [[3], [3, 7], [7], [], [7], [7], [3, 9], [9], [9], [9], [999], [9]]
    accepted = second_labels.read_labels(json.dumps(real).encode(), "real.json", images)
    said = [0, 1, 0, 0, 1, 0, 2, 1, 2, 2, 2, 0]
    answer = make_answer(images.labels, said, keys=images.keys, names=images.names)
    found = second_labels.second_accuracy(answer, accepted, {})
    chosen = [3, 7, 9]
    judged = [row for row, one in enumerate(real) if one]
    assert found.n == 11
    assert found.none == 1
    assert found.first.value == pytest.approx(np.mean([said[row] == images.labels[row] for row in judged]))
    assert found.second.value == pytest.approx(np.mean([chosen[said[row]] in real[row] for row in judged]))
    assert found.several == 2
    assert found.disagree == sum(chosen[images.labels[row]] not in real[row] for row in judged)
    whole = found.changes[0]
    assert whole.fixed - whole.broken == round(11 * (found.second.value - found.first.value))


def test_a_csv_names_classes_by_key_or_name_and_a_file_by_its_end() -> None:
    images = val_set()
    text = f"image,labels\nILSVRC2012_val_00000001.JPEG,Three; {WNIDS[7]}\n{images.image_ids[1]},\nelse.png,nine\n"
    accepted = second_labels.read_labels(text.encode(), "l.csv", images)
    assert accepted[:3] == (frozenset({0, 1}), frozenset(), None)


@pytest.mark.parametrize(
    ("content", "name", "error", "words"),
    [
        (b"[[1000]]", "real.json", UnreadableData, "below 1,000"),
        (b"no", "real.json", UnreadableData, "no JSON"),
        (b"a,b\n1,2\n", "l.csv", UnreadableData, "columns image and labels"),
        (b"image,labels\nnobody.png,three\n", "l.csv", BadInput, "no picture of"),
    ],
)
def test_a_bad_file_is_one_sentence(content: bytes, name: str, error, words: str) -> None:
    with pytest.raises(error, match=words):
        second_labels.read_labels(content, name, val_set())


def test_pairs_are_pictures_of_a_class_that_hold_another(tmp_path: Path) -> None:
    images = val_set()
    accepted = tuple(frozenset({label, (label + 1) % 3}) for label in images.labels)
    answer = make_answer(images.labels, [0, 0, 1, 2, 1, 1, 1, 1, 0, 0, 0, 2], keys=images.keys, names=images.names)
    table = tmp_path / "c.csv"
    table.write_text("a,b,pmi\nThree,seven,2.5\nnine,seven,-1\nthree,nine,0.5\n")
    pairs = second_labels.pairs_by_pmi(answer, accepted, second_labels.read_pmi(table.read_bytes(), table.name))
    assert [(one.a, one.b, one.pmi, one.n, one.accuracy) for one in pairs] == [
        (0, 1, 2.5, 4, 0.5), (1, 2, -1.0, 4, 1.0), (2, 0, 0.5, 4, 0.25),
    ]  # fmt: skip
    r = np.corrcoef([one.pmi for one in pairs], [one.accuracy for one in pairs])[0, 1]
    assert second_labels.association(pairs).value == pytest.approx(r)
    with pytest.raises(BadInput, match="two labels"):
        second_labels.pairs_by_pmi(replace(answer), accepted, {})


def test_the_command(folder: Path, tmp_path: Path) -> None:
    keys = sorted(path.name for path in folder.iterdir())
    labels = tmp_path / "labels.csv"
    rows = [f"{key}/{i}.png,{key};{keys[0]}" for key in keys for i in range(4)]
    labels.write_text("image,labels\n" + "\n".join(rows))
    pmi = tmp_path / "pmi.csv"
    pmi.write_text("a,b,pmi\n" + "\n".join(f"{keys[0]},{key},{place}" for place, key in enumerate(keys[1:])))
    found = output("relabel", MODEL, str(folder), str(labels), "--pmi", str(pmi))
    assert found["n"] == 40
    assert found["acc1_accepted"]["value"] >= found["acc1"]["value"]
    assert found["n_several"] == 36
    assert len(found["pairs"]) == 9
