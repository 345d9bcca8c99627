"""Folders: splits and wrappers are looked through, and nothing that is no class becomes one."""

from __future__ import annotations

import pytest

from core.datasets import open_set
from core.datasets.coverage import coverage
from core.datasets.levels import find_level, is_container, split_name
from core.errors import BadInput, UnreadableData
from tests.helpers.readings import PNG, pictures
from tests.pictures import write_tar, write_tree

# --- folders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "expected", "told"),
    [
        (
            ["Training/ant/0.png", "Training/bee/0.png", "Testing/ant/1.png", "Testing/bee/1.png"],
            "Testing/",
            "Training",
        ),
        (["train/ant/0.png", "train/bee/0.png", "test/images/0.png", "test/images/1.png"], "train/", "test/ has no"),
        (["train/a/0.png", "train/b/0.png", "test/0.png"], "train/", "test/ has no class folders"),
        (["train/a/0.png", "train/b/0.png", "val/a/0.png", "val/b/0.png", "annotations/x.xml"], "val/", "Other splits"),
        (["seg_train/sea/0.png", "seg_train/ice/0.png", "seg_test/sea/0.png", "seg_test/ice/0.png"], "seg_test/", ""),
        (["train2017/a/0.png", "train2017/b/0.png", "val2017/a/0.png", "val2017/b/0.png"], "val2017/", ""),
        (["animals/ant/0.png", "animals/bee/0.png"], "animals/", "only wraps"),
        (["pack/images/ant/0.png", "pack/images/bee/0.png"], "pack/images/", "only wraps"),
        (["mnist/TEST/0/0.png", "mnist/TEST/1/0.png", "mnist/TRAIN/0/0.png", "mnist/TRAIN/1/0.png"], "mnist/TEST/", ""),
        (["images/ant/0.png", "images/bee/0.png", "annotations/list.txt"], "images/", ""),
        (["valid/a/images/0.png", "valid/b/images/0.png"], "valid/", ""),
    ],
)
def test_splits_and_wrappers_above_the_classes_are_looked_through(tmp_path, files, expected, told):
    found = open_set(pictures(tmp_path / "s", *files))
    assert {id.startswith(expected) for id in found.image_ids} == {True}
    assert len(found.keys) == 2
    assert not any(is_container(key) for key in found.keys)
    assert told in found.note


@pytest.mark.parametrize(
    "files",
    [
        ["images/0.png", "images/1.png"],
        ["data/0.png", "masks/0.png"],
        ["train/0.png", "test/0.png"],
        ["Training/0.png", "Testing/0.png", "Validation/0.png"],
        ["00000/0.png", "00001/0.png", "00002/0.png"],
        ["part1/0.png", "part2/0.png"],
        ["train/images/0.png", "train/labels/0.txt", "val/images/0.png", "val/labels/0.txt"],
    ],
)
def test_folders_called_like_containers_are_refused_unless_asked_for(tmp_path, files):
    root = pictures(tmp_path / "s", *[name for name in files if name.endswith("png")])
    with pytest.raises(UnreadableData, match=r"called like .*--label-column folder"):
        open_set(root)
    assert len(open_set(f"{root}#label-column=folder").labels)


@pytest.mark.parametrize("beside", ["txt", "json"])
def test_img2datasets_files_are_named_as_what_they_are(tmp_path, beside):
    names = [f"0000{shard}/0000{shard}000{n}" for shard in range(2) for n in range(3)]
    root = pictures(tmp_path / "s", *[f"{name}.png" for name in names])
    write_tree(root, {f"{name}.{beside}": "x" for name in names})
    with pytest.raises(UnreadableData, match=r"img2dataset's “files” output \(pictures with captions and no classes\)"):
        open_set(root)


@pytest.mark.parametrize(
    "classes",
    [["train", "bus"], ["mask", "no mask"], ["bullet_train", "steam_train"], ["frog", "data", "ox"], ["0", "1", "10"]],
)
def test_classes_that_only_sound_like_containers_stay_classes(tmp_path, classes):
    root = pictures(tmp_path / "s", *[f"{name}/0.png" for name in classes])
    assert sorted(open_set(root).keys) == sorted(classes)


def test_a_class_with_folders_and_pictures_of_its_own_is_no_wrapper(tmp_path):
    assert open_set(pictures(tmp_path / "s", "frog/0.png", "frog/more/1.png", "frog/other/2.png")).keys == ["frog"]


@pytest.mark.parametrize("asked", ["train", "Training", "TRAIN"])
def test_a_split_can_be_asked_for(tmp_path, asked):
    root = pictures(tmp_path / "s", "Training/a/0.png", "Training/b/0.png", "Testing/a/0.png", "Testing/b/0.png")
    assert {id.split("/")[0] for id in open_set(f"{root}#split={asked}").image_ids} == {"Training"}
    with pytest.raises(BadInput, match="has no split 'val'; its splits are Testing, Training"):
        open_set(f"{root}#split=val")


@pytest.mark.parametrize(
    "junk", ["__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found", ".ipynb_checkpoints", "System Volume Information"]
)
def test_what_systems_leave_is_skipped_and_listed(tmp_path, junk):
    root = pictures(tmp_path / "s", "n01440764/0.png", "n01443537/0.png", f"{junk}/0.png", f"n01440764/{junk}/0.png")
    found = open_set(root)
    assert found.names == ["tench", "goldfish"]
    assert found.image_ids == ["n01440764/0.png", "n01443537/0.png"]
    listed = {item.item for item in found.left_out}
    assert {junk, f"n01440764/{junk}"} <= listed
    assert coverage(found).found == 2


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["n00007846", "n01440764", "n01443537"], ["person", "tench", "goldfish"]),
        (["n01440764", "n01443537", "n99999999"], ["tench", "goldfish", "n99999999"]),
        (["extra_class", "n01440764", "n01443537"], ["extra class", "tench", "goldfish"]),
        (["n00007846", "n00015388"], ["person", "animal"]),
        (["ant", "bee", "n01440764"], ["ant", "bee", "n01440764"]),
    ],
)
def test_one_stranger_takes_no_name_from_the_others(tmp_path, keys, names):
    assert open_set(pictures(tmp_path / "s", *[f"{key}/0.png" for key in keys])).names == names


def test_a_lost_index_folder_takes_no_name_from_the_others(tmp_path):
    lost = {7, 100}
    root = write_tree(tmp_path / "v2", {f"{n}/a.png": PNG for n in range(1000) if n not in lost} | {"old/": ""})
    found = open_set(root)
    assert dict(zip(found.keys, found.names, strict=True))["999"] == "toilet paper"
    assert dict(zip(found.keys, found.names, strict=True))["8"] == "hen"
    assert open_set(pictures(tmp_path / "few", "0/a.png", "1/a.png")).names == ["0", "1"]


@pytest.mark.parametrize(
    ("name", "split"),
    [("train2017", "train"), ("seg_test", "test"), ("Validation", "val"), ("dev", "val"), ("frog", ""), ("latest", "")],
)
def test_names_of_splits(name, split):
    assert split_name(name) == split


def test_thousands_of_class_folders_are_not_all_looked_into(tmp_path, monkeypatch):
    root = pictures(tmp_path / "s", *[f"class {number}/0.png" for number in range(80)])
    looked: list[str] = []
    monkeypatch.setattr("core.datasets.levels.holds_pictures", lambda folder, **_: looked.append(folder) or True)
    assert len(find_level(root).classes) == 80
    assert not looked


@pytest.mark.parametrize("other", ["chest_xray/train", "single_prediction", "notes"])
def test_folders_beside_splits_with_classes_are_passed_over(tmp_path, other):
    files = [f"{split}/{name}/0.png" for split in ("train", "test") for name in ("normal", "ill")]
    found = open_set(pictures(tmp_path / "s", *files, f"{other}/normal/1.png", f"{other}/ill/1.png"))
    assert found.image_ids == ["test/ill/0.png", "test/normal/0.png"]
    assert f"{other.partition('/')[0]}/ lies beside the splits and is not read" in found.note


def test_letters_above_the_classes_are_no_classes(tmp_path):
    root = pictures(tmp_path / "s", "a/abbey/0.png", "a/airport/0.png", "b/bar/0.png", "b/barn/0.png")
    with pytest.raises(UnreadableData, match="“a” is a letter under which class folders lie"):
        open_set(root)
    assert open_set(pictures(tmp_path / "asl", "A/0.png", "B/0.png")).keys == ["A", "B"]


def test_folders_inside_classes_are_told(tmp_path):
    root = pictures(tmp_path / "s", *(f"{top}/{name}/0.png" for top in ("bird", "fish") for name in ("x", "y")))
    assert "“bird” holds folders (“x”, “y” ...) that are not told apart" in open_set(root).note


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (
            {"k/images/0.png": PNG, "k/images/1.png": PNG, "k/t.csv": "path,label\nimages/0.png,a\nimages/1.png,b\n"},
            "table",
        ),
        ({"d/data/0.png": PNG, "d/data/1.png": PNG, "d/labels.json": '{"labels": {"0": "a", "1": "b"}}'}, "table"),
        ({"i/0.png": PNG, "i/1.png": PNG, "i/metadata.csv": "file_name,label\n0.png,a\n1.png,b\n"}, "imagefolder"),
        ({"w/x/0.png": PNG, "w/x/1.png": PNG, "w/x/l.csv": "file,label\n0.png,a\n1.png,b\n"}, "table"),
        ({"a/b/frog/0.png": PNG, "a/b/ox/0.png": PNG}, "folders"),
    ],
)
def test_other_layouts_are_found_in_a_wrapper(tmp_path, files, kind):
    found = open_set(write_tree(tmp_path / "s", files))
    assert (found.kind, len(found.labels), len(found.keys)) == (kind, 2, 2)
    assert found.image(1).size == (8, 6)


def test_a_webdataset_in_a_wrapper_is_found_and_listed_again_when_it_changes(tmp_path):
    write_tar(tmp_path / "s" / "shards" / "0.tar", {"a.png": PNG, "a.cls": "0", "b.png": PNG, "b.cls": "1"})
    assert "It lies in shards/" in open_set(tmp_path / "s").note
    write_tar(tmp_path / "s" / "shards" / "1.tar", {"c.png": PNG, "c.cls": "0"})
    assert len(open_set(tmp_path / "s").labels) == 3


@pytest.mark.parametrize("name", ["images.zip", "test/0.tar.gz", "data.tgz", "train/shard.tar.zst", "x.7z"])
def test_archives_in_a_folder_are_named(tmp_path, name):
    with pytest.raises(UnreadableData, match=f"it holds archives \\({name}\\); unpack them first"):
        open_set(write_tree(tmp_path / "s", {name: "PK"}))


def test_pictures_without_anything_that_says_their_class_are_named(tmp_path):
    with pytest.raises(UnreadableData, match="its pictures lie in no class folders, and no table beside them"):
        open_set(pictures(tmp_path / "s", "0.png", "1.png"))


def test_a_split_of_folders_that_have_none_is_refused(tmp_path):
    root = pictures(tmp_path / "s", "ant/0.png", "bee/1.png")
    with pytest.raises(BadInput, match="no folders of splits, so there is no split 'val'"):
        open_set(f"{root}#split=val")
