"""What a table says the classes are, beside pictures or alone; choices overrule detection, and coverage is counted."""

from __future__ import annotations

import json

import pytest

from core.datasets import Choices, choices_in, open_set, split_option, with_choices
from core.datasets.coverage import coverage, require_classes
from core.errors import BadInput, TailscopeError, UnreadableData
from core.types import ImageSet
from tests.helpers.readings import PNG, SIX, pictures, table
from tests.pictures import write_tar, write_tree


def pairs(image_set: ImageSet) -> list[tuple[str, str]]:
    return [(id, image_set.keys[label]) for id, label in zip(image_set.image_ids, image_set.labels, strict=True)]


BREEDS = ("ant", "bee", "cat") * 2


# --- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (table("breed", BREEDS), ["ant", "bee", "cat"]),
        (table("class_id", ("0", "1", "2") * 2), ["0", "1", "2"]),
        (table("Dog Breed", BREEDS), ["ant", "bee", "cat"]),
        ("\n".join(f"{path},{name}" for path, name in zip(SIX, BREEDS, strict=True)), ["ant", "bee", "cat"]),
        ("sep=;\n" + table("label", BREEDS).replace(",", ";"), ["ant", "bee", "cat"]),
        ("image,ant,bee\n" + "".join(f"{path},{n % 2},{1 - n % 2}\n" for n, path in enumerate(SIX)), ["ant", "bee"]),
        (table("fine_label", BREEDS).replace("\n", ",x\n").replace("fine_label,x", "fine_label,coarse_label"), None),
        (table("label", ("0.0", "1.0", "2.0") * 2), ["0", "1", "2"]),
        (table("label", ("Ant", "ant", "ant ", "bee", "BEE", "bee")), ["ant", "bee"]),
    ],
)
def test_the_class_column_is_found(tmp_path, content, keys):
    write_tree(pictures(tmp_path / "s", *SIX), {"t.csv": content})
    found = open_set(tmp_path / "s" / "t.csv")
    assert list(found.keys) == (keys or ["ant", "bee", "cat"])
    assert len(found.labels) == 6
    assert "images" not in found.keys


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("path\n" + "\n".join(SIX), r"No column says the class.*“images” alone.*--label-column"),
        (table("width", ("640",) * 6), "No column says the class"),
        (table("caption", ("a", "b", "c", "d", "e", "f")), "No column says the class"),
        (table("a,b", ("x,p", "y,p", "x,q", "y,q", "x,p", "y,q")), r"--label-column NAME \(a, b\)"),
        (table("label", ("train", "test", "train", "test", "val", "train")), "called like containers or splits"),
        (table("label", ("ant|bee",) * 5 + ("ant",)), "several labels a row"),
        (table("score", ("0.1", "0.2", "0.1", "0.2", "0.3", "0.3")), "No column says the class"),
    ],
)
def test_a_table_that_does_not_say_the_class_is_refused(tmp_path, content, reason):
    write_tree(pictures(tmp_path / "s", *SIX), {"t.csv": content})
    with pytest.raises(UnreadableData, match=reason):
        open_set(tmp_path / "s" / "t.csv")


def test_an_unknown_column_against_folders_is_refused_and_can_be_chosen(tmp_path):
    root = pictures(tmp_path / "s", *(f"shelter {n % 2}/{n}.png" for n in range(6)))
    rows = "".join(f"shelter {n % 2}/{n}.png,{BREEDS[n]}\n" for n in range(6))
    write_tree(root, {"t.csv": "path,kind\n" + rows})
    with pytest.raises(UnreadableData, match="could be “kind” or the folder"):
        open_set(root / "t.csv")
    assert open_set(f"{root}/t.csv#label-column=kind").keys == ["ant", "bee", "cat"]
    assert open_set(f"{root}/t.csv#label-column=folder").keys == ["shelter 0", "shelter 1"]
    with pytest.raises(BadInput, match="no column “colour”; the columns are path, kind"):
        open_set(f"{root}/t.csv#label-column=colour")


def test_choices_of_columns_and_split_overrule(tmp_path):
    root = pictures(tmp_path / "s", *SIX)
    rows = "".join(f"x.png,{SIX[n]},{BREEDS[n]},{n},{('train', 'test')[n % 2]}\n" for n in range(6))
    write_tree(root, {"t.csv": "path,copy,label,other label,split\n" + rows})
    found = open_set(f"{root}/t.csv#path-column=copy")
    assert pairs(found) == [(SIX[n], BREEDS[n]) for n in (1, 3, 5)]
    assert "split test of column “split”" in found.note
    assert "Also possible: --label-column other label" in found.note
    assert [label for _, label in pairs(open_set(f"{root}/t.csv#path-column=copy&split=train"))] == [
        "ant",
        "cat",
        "bee",
    ]
    assert open_set(f"{root}/t.csv#path-column=copy&label-column=other%20label").keys == ["1", "3", "5"]


def test_several_labels_in_a_cell_are_listed(tmp_path):
    write_tree(
        pictures(tmp_path / "s", *SIX), {"t.csv": table("label", ("ant", "ant|bee", "bee; cat", "cat", "bee", ""))}
    )
    found = open_set(tmp_path / "s" / "t.csv")
    assert found.keys == ["ant", "bee", "cat"]
    reasons = {item.item: item.reason for item in found.left_out}
    assert reasons == {
        SIX[1]: "several labels (ant, bee)", SIX[2]: "several labels (bee, cat)", SIX[5]: "no class"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("listed", "files", "note"),
    [
        ({"labels.csv": "path,label\nimages/0.png,ant\nimages/1.png,bee\n"}, "images", "labels.csv"),
        ({"labels.csv": "filename,label\n0.png,ant\n1.png,bee\n"}, "images", "in images/"),
        (
            {"train.csv": "id,breed\n0,ant\n1,bee\n", "sample_submission.csv": "id,breed\n0,x\n"},
            "train",
            "with .png added",
        ),
        ({"labels.json": json.dumps({"classes": ["ant", "bee"], "labels": {"0": 0, "1": 1}})}, "data", "labels.json"),
        ({"labels.json": json.dumps({"classes": None, "labels": {"0": "ant", "1": "bee"}})}, "data", "labels.json"),
        (
            {"annotations.json": json.dumps([{"file": "0.png", "label": "ant"}, {"file": "1.png", "label": "bee"}])},
            "img",
            "",
        ),
        ({"images/labels.csv": "image,class\n0.png,ant\n1.png,bee\n"}, "images", "labels.csv"),
        ({"val/val_annotations.txt": "0.png\tant\t0\t0\n1.png\tbee\t0\t0\n"}, "val/images", "val_annotations.txt"),
        ({"list.txt": "images/0.png ant\nimages/1.png bee\n"}, "images", "list.txt"),
        ({"labels.csv": "path,label\nimages\\0.png,ant\nimages\\1.png,bee\n"}, "images", "labels.csv"),
    ],
)
def test_the_table_beside_pictures_is_used(tmp_path, listed, files, note):
    root = write_tree(pictures(tmp_path / "s", f"{files}/0.png", f"{files}/1.png"), listed)
    found = open_set(root)
    assert found.kind == "table"
    assert pairs(found) == [(f"{files}/0.png", "ant"), (f"{files}/1.png", "bee")]
    assert found.image(1).getpixel((0, 0)) == (1, 0, 0)
    assert note in found.note


def test_of_tables_for_splits_the_first_with_classes_is_used(tmp_path):
    root = pictures(tmp_path / "s", *SIX)
    rows = [f"{SIX[n]},{BREEDS[n]}\n" for n in range(6)]
    write_tree(root, {"train.csv": "path,label\n" + "".join(rows[:3]), "test.csv": "path\n" + "\n".join(SIX[3:])})
    assert len(open_set(root).labels) == 3
    write_tree(root, {"test.csv": "path,label\n" + "".join(rows[3:])})
    assert [id for id, _ in pairs(open_set(root))] == list(SIX[3:])
    assert [id for id, _ in pairs(open_set(f"{root}#split=train"))] == list(SIX[:3])


def test_class_folders_win_over_a_table_and_the_table_can_be_asked_for(tmp_path):
    root = pictures(tmp_path / "s", "ant/0.png", "bee/1.png")
    write_tree(root, {"info.csv": "path,sex\nant/0.png,f\nbee/1.png,m\n"})
    assert open_set(root).keys == ["ant", "bee"]
    assert open_set(f"{root}#label-column=sex").keys == ["f", "m"]


def test_a_table_beside_pictures_that_is_not_used_is_named(tmp_path):
    root = write_tree(pictures(tmp_path / "s", *SIX), {"info.csv": "a,b\n1,2\n"})
    with pytest.raises(UnreadableData, match=r"info\.csv lies beside the pictures and is not used: no column of it"):
        open_set(root)


# --- captions, one class, coverage -------------------------------------------------------------------------------


def test_captions_are_refused_in_one_sentence_where_classes_are_needed(tmp_path):
    write_tar(tmp_path / "s" / "test" / "0.tar", {"a.png": PNG, "a.txt": "an ant"})
    with pytest.raises(BadInput, match=r"captions and no classes.*--task retrieval"):
        open_set(tmp_path / "s")
    found = open_set(tmp_path / "s", captions=True)
    assert found.kind == "captions"
    assert coverage(found).line.startswith("captions, 0 classes: 1 of 1 images used, none skipped.")
    with pytest.raises(BadInput, match="captions and no classes"):  # the set that is kept is no way around
        open_set(tmp_path / "s")


def test_one_class_is_refused_where_accuracies_are_computed(tmp_path):
    root = pictures(tmp_path / "s", "frog/0.png", "frog/1.png")
    with pytest.raises(BadInput, match=r"has one class \('frog'\), so every image would be correct"):
        require_classes(open_set(root))
    require_classes(open_set(f"{root}#label-column=folder"))


def test_coverage_counts_what_listing_lost(tmp_path):
    rows = "".join(f"images/{n}.png,{'ab'[n % 2]}\n" for n in range(9))
    write_tree(pictures(tmp_path / "s", *SIX[:3]), {"t.csv": f"path,label\n{rows}images/0.png,a\n"})
    found = coverage(open_set(tmp_path / "s" / "t.csv"))
    assert (found.used, found.found) == (3, 9)
    assert "2 classes: 3 of 9 images used, 7 skipped (6 × no such file or directory; listed twice" in found.line
    facts = found.as_json()
    assert set(facts) == {"set_note", "n_found", "n_used", "skipped"}
    assert facts["skipped"][0] == {"item": "images/3.png", "reason": "no such file or directory"}
    assert len(found.as_json(most=2)["skipped"]) == 2


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a/0.png": PNG, "b/0.png": PNG, "a/notes.txt": "x"}, 2),
        ({"a/0.png": PNG, "b/0.png": PNG, "empty/": ""}, 2),
        ({"a/0.png": PNG, "b/0.png": PNG, "b/broken.png": "x"}, 3),
        ({"a/0.png": PNG, "b/0.png": PNG, "b/.DS_Store": "x"}, 2),
        ({"a/0.png": PNG, "b/0.png": PNG, "annotations/x.xml": "x"}, 2),
    ],
)
def test_only_images_count_as_found(tmp_path, files, found):
    assert coverage(open_set(write_tree(tmp_path / "s", files))).found == found


# --- choices in ids ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "choices"),
    [
        ("/a/b", Choices(split="val")),
        ("/a/b", Choices(label_column="my column & more#1", path_column="ä b")),
        ("/a/b#over=imagenet", Choices(split="val", names="released")),
        ("/a#b/c", Choices(label_column="x")),
        ("icons", Choices()),
    ],
)
def test_choices_travel_in_the_id(id, choices):
    made = with_choices(id, choices)
    assert choices_in(made) == choices
    assert made.startswith(id.partition("#over")[0])
    assert made.endswith("#over=imagenet") == ("#over" in id)


def test_choices_are_added_to_those_an_id_carries():
    assert with_choices("/s#split=val&label-column=a", Choices(label_column="b")) == "/s#label-column=b&split=val"
    assert split_option("/s#size=3") == ("/s#size=3", "")
    with pytest.raises(BadInput, match="shown or released"):
        Choices(names="raw")


def test_choices_that_a_kind_does_not_have_are_refused(tmp_path):
    with pytest.raises(BadInput, match="icons is built in"):
        open_set("icons#split=val")
    write_tar(tmp_path / "w" / "0.tar", {"a.png": PNG, "a.cls": "0", "b.png": PNG, "b.cls": "1"})
    with pytest.raises(BadInput, match="kind webdataset has no columns"):
        open_set(f"{tmp_path / 'w'}#label-column=x")
    with pytest.raises(BadInput, match="its splits: none"):
        open_set(f"{tmp_path / 'w'}#split=val")
    with pytest.raises(TailscopeError, match="no image set, folder or file"):
        open_set("/nowhere/at/all#split=val")


def test_released_names_can_be_asked_for_in_the_id(tmp_path):
    root = pictures(tmp_path / "s", "001.Black_footed_Albatross/0.png", "002.Laysan_Albatross/0.png")
    assert open_set(root).names == ["Black footed Albatross", "Laysan Albatross"]
    released = open_set(f"{root}#names=released").names
    assert released == ["001.Black_footed_Albatross", "002.Laysan_Albatross"]
    assert open_set("icons#names=released").names == open_set("icons", naming="released").names


def test_the_table_beside_several_folders_of_pictures_is_used(tmp_path):
    root = pictures(tmp_path / "s", *(f"HAM_images_part_{1 + n % 2}/ISIC_{n}.png" for n in range(6)))
    with pytest.raises(UnreadableData, match="called like a container"):
        open_set(root)
    rows = "".join(f"L{n},ISIC_{n},{BREEDS[n]},{50 + n}\n" for n in range(6))
    write_tree(root, {"HAM_metadata.csv": "lesion_id,image_id,dx,age\n" + rows})
    found = open_set(root)
    assert pairs(found) == [(f"HAM_images_part_{1 + n % 2}/ISIC_{n}.png", BREEDS[n]) for n in range(6)]
    assert "in HAM_images_part_1/, HAM_images_part_2/, with .png added" in found.note


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("t.txt", "".join(f"{path} {name}\n" for path, name in zip(SIX, BREEDS, strict=True))),
        ("t.json", json.dumps([{"image": path, "label": name} for path, name in zip(SIX, BREEDS, strict=True)])),
        ("t.json", json.dumps(dict(zip(SIX, BREEDS, strict=True)))),
        ("t.jsonl", "".join(json.dumps({"image": p, "label": [n]}) + "\n" for p, n in zip(SIX, BREEDS, strict=True))),
        ("t.tsv", table("label", BREEDS).replace(",", "\t")),
    ],
)
def test_lists_in_other_forms_are_tables_too(tmp_path, file, content):
    write_tree(pictures(tmp_path / "s", *SIX), {file: content})
    assert pairs(open_set(tmp_path / "s" / file)) == list(zip(SIX, BREEDS, strict=True))


@pytest.mark.parametrize(("data", "kind"), [(b"PK\x03\x04", "zip"), (b"\x1f\x8b\x08", "gzip"), (b"PAR1", "Parquet")])
def test_what_is_called_a_table_and_is_none_is_named(tmp_path, data, kind):
    (tmp_path / "t.csv").write_bytes(data + bytes(300))
    with pytest.raises(UnreadableData, match=f"t.csv is not a table: it is a {kind}"):
        open_set(tmp_path / "t.csv")


def test_tables_of_other_splits_are_told_and_a_split_that_is_not_there_is_refused(tmp_path):
    root = pictures(tmp_path / "s", *SIX)
    for name, numbers in (("train.csv", (0, 1, 2)), ("test.csv", (3, 4, 5))):
        write_tree(root, {name: "path,label\n" + "".join(f"{SIX[n]},{BREEDS[n]}\n" for n in numbers)})
    assert "Tables of other splits: train.csv (--split)" in open_set(root).note
    with pytest.raises(BadInput, match="no column that tells splits apart, so there is no split 'val'"):
        open_set(f"{root}/train.csv#split=val")
    write_tree(tmp_path / "f", {f"{split}/{n}.png": PNG for split in ("train", "test") for n in range(2)})
    for split in ("train", "test"):
        write_tree(tmp_path / "f", {f"{split}/metadata.csv": "file_name,label\n0.png,a\n1.png,b\n"})
    assert len(open_set(f"{tmp_path / 'f'}#split=train").labels) == 2
    with pytest.raises(BadInput, match="has no split 'val'; its splits are test, train"):
        open_set(f"{tmp_path / 'f'}#split=val")
