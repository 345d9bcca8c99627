"""Compositions: folder names taken apart, shares and errors by hand, the composer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.composition import answers, measure, scores, sets
from core.composition.composer import nearest
from core.composition.folders import by_folded_name, folder_compositions, object_names, read_overrides, split_name
from core.composition.pairs import composed as composed_set
from core.composition.pairs import compositions, joined
from core.datasets import open_set
from core.errors import BadInput, UnreadableData
from core.icons.concepts import held_out
from core.stats.intervals import wilson
from core.types import Classifier, Embeddings
from tests.helpers.compositions import NAMES, composed

OBJECTS = {"1": "goldfish", "2": "garbage truck", "3": "truck", "4": "sea lion", "5": "lion", "6": "Tench"}


def split(folder: str) -> tuple[str, str] | None:
    found = split_name(folder, by_folded_name(OBJECTS))
    return None if found is None else (found.attribute, found.object)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("red goldfish", ("red", "1")),
        ("moss_covered_goldfish", ("moss covered", "1")),
        ("heart shaped garbage truck", ("heart shaped", "2")),
        ("rusty truck", ("rusty", "3")),
        ("wet sea lion", ("wet", "4")),
        ("WET  tench", ("wet", "6")),
        ("sea lion", None),
        ("goldfish", None),
        ("red", None),
        ("", None),
        ("red goldfishes", None),
        ("../../etc/passwd", None),
        ("<script>alert(1)</script> lion", ("<script>alert(1)</script>", "5")),
        ("a" * 5000 + " lion", None),
        ("garbage  truck", None),
    ],
)
def test_the_longest_object_name_at_the_end_is_the_object(folder, expected):
    assert split(folder) == expected


def test_imagenet_names_are_the_default_objects():
    names = object_names()
    assert len(names) == 1000
    assert names["0"] == "tench"
    assert split_name("purple great white shark", by_folded_name(names)).object == "2"


def image_set(*keys: str, each: int = 1) -> SimpleNamespace:
    labels = np.repeat(np.arange(len(keys)), each)
    return SimpleNamespace(
        id="ao", kind="folders", keys=list(keys), names=list(keys), labels=labels, image_ids=[], templates=(),
        left_out=(), fingerprint="x", has_images=True, note="", drawn=False,
    )  # fmt: skip


def test_overrides_win_and_unmatched_folders_are_listed(tmp_path: Path):
    table = tmp_path / "o.csv"
    table.write_text(
        "folder,attribute,object,imagenet_index\nshiny thing,shiny,Goldfish,\nodd one,odd,whatever,3\n"
        "red goldfish,bright red,goldfish,\nnew kind,new,unicorn,\n"
    )
    images = image_set("red goldfish", "shiny thing", "odd one", "new kind", "nothing here", each=2)
    found = folder_compositions(images, objects=OBJECTS, overrides=read_overrides(table))
    assert found.names == ["bright red goldfish", "shiny goldfish", "odd truck", "new unicorn"]
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, -1, -1]
    assert [item.item for item in found.left_out] == ["nothing here"]


def test_a_bare_object_is_not_called_unknown():
    found = folder_compositions(image_set("red goldfish", "goldfish", "red unicorn"), objects=OBJECTS)
    assert {item.item: item.reason.partition(";")[0] for item in found.left_out} == {
        "goldfish": "its name is an object without an attribute",
        "red unicorn": "its name ends with no known object",
    }


def test_a_set_without_compositions_says_what_to_do():
    with pytest.raises(BadInput, match="attribute object"):
        folder_compositions(image_set("cat", "dog"), objects=OBJECTS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("folder,object\na,b\n", "no column 'attribute'"),
        ("folder,attribute,object,imagenet_index\na,,c,\n", "row 2"),
        ("folder,attribute,object,imagenet_index\na,b,c,1000\n", "0 to 999"),
    ],
)
def test_a_bad_table_of_overrides_is_named(tmp_path: Path, text, said):
    (tmp_path / "o.csv").write_text(text)
    with pytest.raises(UnreadableData, match=said):
        read_overrides(tmp_path / "o.csv")


def test_joined_sets_choose_among_the_compositions_of_both():
    a = compositions(["red", "blue"], ["ant", "bee"], NAMES)
    b = compositions(["green", None], ["ant", "ant"], NAMES)
    first, second = joined(a, b)
    assert first.names == second.names == ["green ant", "red ant", "blue bee"]
    assert first.labels.tolist() == [1, 2]
    assert second.labels.tolist() == [0, -1]


def test_icon_compositions_are_what_was_drawn():
    images = sets.composition_set(open_set("icons-composition"))
    found = images.compositions
    assert {(found.attributes[a], found.objects[o]) for a, o in found.pairs.tolist()} == set(held_out())
    for index in (0, 777, 5859):
        a, o = found.pairs[found.labels[index]]
        assert found.attributes[a] == images.details(index)["colour"]
        assert images.image_ids[index].startswith(f"{found.objects[o]}/")


def test_errors_are_split_by_what_was_right():
    found = composed([0, 0, 0, 1], [0, 1, 2, 2])
    assert scores.errors(found) == scores.Errors(1, 1, 1, 1)
    assert scores.attribute_confusion(found).tolist() == [[0, 1], [1, 2]]


def test_shares_and_their_chance_levels():
    found = composed([0, 0, 2, 1], [0, 0, 2, 0], object_max=[0, 1, 1, 0], attribute_given=[1, 0, 1, 0])
    told = scores.shares(found)
    assert (told["composition"].right, told["composition"].n, told["composition"].chance) == (3, 4, 1 / 3)
    assert told["object"].right == 3  # objects are 0 0 1 0
    assert told["attribute|object"].right == 3  # attributes are 1 1 1 0
    assert told["object"].chance == 0.5
    # The ant has two attributes, the bee one: three images at one half, one at 1.
    assert told["attribute|object"].chance == pytest.approx((3 * 0.5 + 1) / 4)
    assert "composition top-5" not in told
    assert told["composition"].interval == wilson(3, 4)


def test_parts_of_a_score_matrix_by_hand():
    found = compositions(["blue", "red", "red"], ["ant", "ant", "bee"], NAMES)
    # Columns: blue ant, red ant, red bee. The vectors are the scores themselves.
    vectors = np.array([[0.9, 0.0, 0.8], [0.1, 0.3, 0.35]], np.float32)
    classifier = Classifier(np.eye(3, dtype=np.float32), np.arange(3), "embedding", 1.0)
    said = answers.parts(vectors, classifier, found, np.array([1, 0]))
    assert said.object_max.tolist() == [0, 1]
    assert said.object_mean.tolist() == [1, 1]  # 0.45 against 0.8, 0.2 against 0.35
    assert said.attribute_max.tolist() == [0, 1]
    assert said.attribute_mean.tolist() == [0, 1]  # 0.9 against 0.4, 0.1 against 0.325
    assert said.object_given.tolist() == [1, 0]  # red: bee 0.8 over ant 0; blue: only the ant
    assert said.attribute_given.tolist() == [0, 1]  # ant: blue 0.9; red 0.3


def test_parts_agree_with_a_loop_over_random_scores():
    rng = np.random.default_rng(0)
    shown = [(a, o) for a in "pqrs" for o in ("ant", "bee", "cat", "dog") if rng.random() < 0.7]
    found = compositions([a for a, _ in shown], [o for _, o in shown], {o: o for _, o in shown})
    table = rng.normal(size=(50, len(found.pairs))).astype(np.float32)
    labels = rng.integers(0, len(found.pairs), 50)
    identity = Classifier(np.eye(len(found.pairs), dtype=np.float32), np.arange(len(found.pairs)), "embedding", 1.0)
    said = answers.parts(table, identity, found, labels)
    for row, (line, label) in enumerate(zip(table, labels, strict=True)):
        a, o = found.pairs[label]
        objects = {k: line[found.pairs[:, 1] == k] for k in range(len(found.objects))}
        assert said.object_max[row] == max(objects, key=lambda k: objects[k].max())
        assert said.object_mean[row] == max(objects, key=lambda k: objects[k].mean())
        known = {int(p[1]): s for p, s in zip(found.pairs, line, strict=True) if p[0] == a}
        assert said.object_given[row] == max(known, key=known.get)
        known = {int(p[0]): s for p, s in zip(found.pairs, line, strict=True) if p[1] == o}
        assert said.attribute_given[row] == max(known, key=known.get)


def test_the_composer_returns_the_nearest_images_with_the_scores_of_the_parts():
    images = np.eye(3, dtype=np.float32)
    texts = np.array([[1, 0, 0], [0, 1, 0], [0.6, 0.8, 0]], np.float32)
    found = nearest(Embeddings(images, np.array([4, 5, 6]), (), "k"), texts, ("red", "ant", "red ant"), k=2)
    assert found.rows.tolist() == [5, 4]
    assert np.allclose(found.cosines, [[0, 1, 0.8], [1, 0, 0.6]])
    assert found.alone == (pytest.approx(0.6), pytest.approx(0.8))
    assert found.additive == pytest.approx(1.4 / np.sqrt(2))


def test_a_composition_set_passes_the_pictures_on():
    images = open_set("icons-composition")
    view = composed_set(images, sets.composition_set(images).compositions)
    assert view.fingerprint == images.fingerprint
    assert view.image_ids == images.image_ids
    assert len(view.keys) == len(set(view.keys)) == 1055
    assert measure.Question
