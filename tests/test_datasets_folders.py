from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from core.datasets import open_set
from core.datasets.formats.folders import letitwag_classes
from core.datasets.names import name_classes, read_names
from core.errors import UnreadableData
from tests.pictures import encoded, snapshot, write_tree

PNG = encoded()


def reasons(image_set) -> dict[str, str]:
    return {item.item: item.reason for item in image_set.left_out}


def imagefolder_samples(root: Path) -> list[tuple[str, int]]:
    """What torchvision's ImageFolder lists: classes sorted, then os.walk sorted, then files sorted."""
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    return [
        (os.path.join(folder, file), label)
        for label, key in enumerate(classes)
        for folder, _, files in sorted(os.walk(root / key, followlinks=True))
        for file in sorted(files)
    ]


def test_order_is_that_of_imagefolder(tmp_path):
    names = ["b/2.png", "b/10.png", "a/x.jpg", "a/sub/z.png", "a/sub-b/y.png", "a/sub/aa/q.webp", "Z/1.JPEG", "b/B.png"]
    root = write_tree(tmp_path / "set", dict.fromkeys(names, PNG))
    found = open_set(root)
    assert found.kind == "folders"
    assert found.keys == ["Z", "a", "b"]
    assert [(str(root / id), int(label)) for id, label in zip(found.image_ids, found.labels, strict=True)] == (
        imagefolder_samples(root)
    )
    assert len(found.image_ids) == len(names)
    assert found.labels.dtype == np.int64
    assert found.image(0).getpixel((0, 0)) == (200, 30, 60)
    assert dict(found.details(0)) == {}


def test_integer_folders_are_in_numeric_order(tmp_path):
    root = write_tree(
        tmp_path / "v2", {f"{number}/a.png": encoded((number, 0, 0)) for number in (0, 1, 2, 10, 11, 100)}
    )
    found = open_set(root)
    assert found.keys == ["0", "1", "2", "10", "11", "100"]
    assert [found.image(index).getpixel((0, 0))[0] for index in range(6)] == [0, 1, 2, 10, 11, 100]
    assert "numeric order" in found.note


def test_the_thousand_folders_of_imagenet_v2_get_imagenets_names(tmp_path):
    root = write_tree(tmp_path / "v2", {f"{number}/": "" for number in range(1000)} | {"0/a.png": PNG})
    found = open_set(root)
    assert (found.names[0], found.names[1], found.names[999]) == ("tench", "goldfish", "toilet paper")
    assert found.keys[999] == "999"
    assert "“missile”" in found.note
    assert "name more than one class each" in found.note


def test_wordnet_ids_are_named_and_others_keep_their_keys(tmp_path):
    root = write_tree(tmp_path / "r", {"n01440764/a.png": PNG, "n02123045/a.png": PNG})
    assert open_set(root).names == ["tench", "tabby cat"]
    assert open_set(root, naming="released").names == ["n01440764", "n02123045"]
    write_tree(root, {"n99999999/a.png": PNG})
    stranger = open_set(root)
    assert stranger.names == ["tench", "tabby cat", "n99999999"]
    assert "1 of 3 are not known" in stranger.note


def test_letitwag_folders_are_known_and_shown_with_spaces(tmp_path):
    classes = sorted(letitwag_classes())
    assert len(classes) == 290
    root = write_tree(tmp_path / "liw", {f"{key}/1.jpg": PNG for key in classes})
    found = open_set(root)
    assert found.kind == "letitwag"
    assert found.keys == classes
    assert found.names[found.keys.index("African_rock_python")] == "African rock python"
    assert open_set(root, naming="released").names == classes


def test_a_split_is_chosen_and_named(tmp_path):
    root = write_tree(tmp_path / "s", {"train/a/1.png": PNG, "val/a/2.png": PNG, "val/b/3.png": PNG})
    found = open_set(root)
    assert found.image_ids == ["val/a/2.png", "val/b/3.png"]
    assert "in val/" in found.note
    assert found.image(1).size == (8, 6)


def test_what_cannot_be_used_is_listed_and_the_rest_goes_on(tmp_path):
    root = write_tree(tmp_path / "s", {"a/1.png": PNG, "a/notes.txt": "x", "a/more.txt": "y", "a/.DS_Store": "z"})
    write_tree(root, {"empty/": "", "only text/readme": "x", "a/cut.jpg": encoded(form="JPEG", size=(64, 64))[:200]})
    (root / "a" / "gone.png").symlink_to(root / "nowhere.png")
    os.mkfifo(root / "a" / "pipe.png")
    (root / "loop").mkdir()
    (root / "loop" / "again").symlink_to(root / "loop")
    (root / os.fsdecode(b"caf\xe9")).mkdir()
    before = snapshot(root)
    found = open_set(root)
    assert found.keys == ["a", "empty", "loop", "only text"]
    assert found.image_ids == ["a/1.png", "a/cut.jpg"]
    why = reasons(found)
    assert why["2 files *.txt"] == why["1 file without an ending"] == "not a picture by the ending of its name"
    assert why["a/gone.png"] == "a link to nothing"
    assert why["a/pipe.png"] == "not a regular file"
    assert "leads back" in why["loop/again"]
    assert why["caf\\udce9"] == "its name is not UTF-8"
    assert "no picture" in why["class empty"]
    assert "no picture" in why["class only text"]
    with pytest.raises(UnreadableData, match=r"a/cut\.jpg .*cut short"):
        found.image(1)
    assert snapshot(root) == before


def test_an_unreadable_class_is_listed(tmp_path, monkeypatch):
    root = write_tree(tmp_path / "s", {"a/1.png": PNG, "b/1.png": PNG})
    scandir = os.scandir

    def closed(path):  # the tests may run as root, who may read everything
        if os.path.basename(path) == "a":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    found = open_set(root)
    assert found.image_ids == ["b/1.png"]
    assert reasons(found)["a"] == "the folder cannot be read (permission denied)"
    assert found.keys == ["a", "b"]


def test_a_picture_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    root = write_tree(tmp_path / "s", {"a/1.png": PNG})
    found = open_set(root)
    (root / "a" / "1.png").unlink()
    with pytest.raises(UnreadableData, match=r"a/1\.png cannot be read: no such file"):
        found.image(0)


def test_links_may_not_leave_the_served_folders(tmp_path):
    outside = write_tree(tmp_path / "outside", {"secret.png": PNG, "class/2.png": PNG})
    root = write_tree(tmp_path / "served" / "s", {"a/1.png": PNG, "a/deep/3.png": PNG})
    (root / "a" / "leak.png").symlink_to(outside / "secret.png")
    (root / "a" / "inner.png").symlink_to(root / "a" / "1.png")
    (root / "b").symlink_to(outside / "class")
    found = open_set(root, roots=[(tmp_path / "served").resolve()])
    assert found.keys == ["a"]
    assert found.image_ids == ["a/1.png", "a/inner.png", "a/deep/3.png"]
    assert "outside" in reasons(found)["a/leak.png"]
    assert "outside" in reasons(found)["b"]
    assert "b/2.png" in open_set(root).image_ids


def test_no_picture_at_all_is_one_sentence(tmp_path):
    root = write_tree(tmp_path / "s", {"a/x/": "", "b/": ""})
    with pytest.raises(UnreadableData, match="holds no usable picture"):
        open_set(root)
    with pytest.raises(UnreadableData, match="no image set that Tailscope knows"):
        open_set(write_tree(tmp_path / "t", {"readme.md": "x"}))


def test_fingerprint_follows_content_not_names(tmp_path):
    files = {f"{key}/{number}.png": encoded((number, 2, 3)) for key in "ab" for number in range(4)}
    first = open_set(write_tree(tmp_path / "one", files))
    assert open_set(write_tree(tmp_path / "two", files)).fingerprint == first.fingerprint
    assert open_set(tmp_path / "one", names={"a": "apple", "b": "bee"}).fingerprint == first.fingerprint
    changed = bytearray(files["a/2.png"])
    changed[-1] ^= 1
    assert (
        open_set(write_tree(tmp_path / "three", files | {"a/2.png": bytes(changed)})).fingerprint != first.fingerprint
    )
    moved = {("c" + name[1:] if name.startswith("a") else name): data for name, data in files.items()}
    assert open_set(write_tree(tmp_path / "four", moved)).fingerprint != first.fingerprint


def test_a_set_is_listed_again_when_files_come(tmp_path):
    root = write_tree(tmp_path / "s", {"a/1.png": PNG})
    first = open_set(root)
    assert open_set(root) is first
    write_tree(root, {"a/2.png": PNG})
    assert open_set(root).image_ids == ["a/1.png", "a/2.png"]
    assert open_set(root, fresh=True) is not open_set(root, names={"a": "apple"})


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("names.json", json.dumps({"n1": "red fox", "n2": "grey wolf"})),
        ("keras.json", json.dumps({"0": ["n1", "red_fox"], "1": ["n2", "grey_wolf"]})),
        ("list.json", json.dumps(["red fox", "grey wolf"])),
        ("names.csv", "key,name\nn1,red fox\nn2,grey wolf\n"),
        ("plain.csv", "n1,red fox\nn2,grey wolf\n"),
        ("names.tsv", "n1\tred fox\nn2\tgrey wolf\n"),
        ("names.txt", "red fox\ngrey wolf\n\n"),
    ],
)
def test_names_files(tmp_path, file, content):
    root = write_tree(tmp_path / "s", {"n1/1.png": PNG, "n2/1.png": PNG})
    write_tree(tmp_path, {file: content})
    found = open_set(root, names=tmp_path / file)
    assert found.names == ["red fox", "grey wolf"]
    assert found.keys == ["n1", "n2"]
    assert f"Names come from {file}" in found.note


def test_synset_lines_give_the_first_synonym(tmp_path):
    write_tree(tmp_path, {"map.txt": "n01440764 tench, Tinca tinca\nn02123045 tabby, tabby cat\n"})
    assert read_names(tmp_path / "map.txt").by_key == {"n01440764": "tench", "n02123045": "tabby"}


def test_a_partial_names_file_says_what_it_left(tmp_path):
    names, note = name_classes(["a_b", "c_d"], {"a_b": "apple"})
    assert names == ["apple", "c d"]
    assert "1 of 2 classes are not in it" in note


def test_names_beside_the_folders_are_used_by_themselves(tmp_path):
    root = write_tree(tmp_path / "s", {"n1/1.png": PNG, "classnames.txt": "red fox\n"})
    assert open_set(root).names == ["red fox"]
    assert open_set(root, naming="released").names == ["n1"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("one\ntwo\nthree\n", "lists 3 names but the set has 2 classes"),
        ("", "holds no names"),
        ("one\n\nthree\n", "holds an empty name|lists 3 names"),
    ],
)
def test_names_that_do_not_fit_are_refused(tmp_path, content, reason):
    root = write_tree(tmp_path / "s", {"n1/1.png": PNG, "n2/1.png": PNG})
    write_tree(tmp_path, {"names.txt": content})
    with pytest.raises(UnreadableData, match=reason):
        open_set(root, names=tmp_path / "names.txt")


@pytest.mark.parametrize("content", ["[1, 2]", "{", '{"a": 1}', "[" * 100_000, '"text"', "NaN"])
def test_hostile_json_names_are_refused(tmp_path, content):
    write_tree(tmp_path, {"names.json": content})
    with pytest.raises(UnreadableData, match=r"names\.json"):
        read_names(tmp_path / "names.json")


def test_classes_that_share_a_name_are_told(tmp_path):
    root = write_tree(tmp_path / "s", {"crane_bird/1.png": PNG, "crane_machine/1.png": PNG})
    found = open_set(root, names={"crane_bird": "crane", "crane_machine": "crane"})
    assert found.names == ["crane", "crane"]
    assert found.keys == ["crane_bird", "crane_machine"]
    assert "“crane” names more than one class" in found.note
