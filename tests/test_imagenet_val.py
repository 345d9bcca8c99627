"""ImageNet's validation pictures in one folder, with every file that is known to say their classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from core.datasets import open_set
from core.datasets.names import imagenet_classes
from core.errors import UnreadableData
from tests.pictures import encoded, write_tree

WNIDS = ["n03995372", "n01440764", "n01443537"]
STEMS = [f"ILSVRC2012_val_{number:08d}" for number in (1, 2, 3)]


def place(wnid: str) -> int:
    return [one for one, _ in imagenet_classes()].index(wnid)


def flat(root: Path, below: str = "val") -> Path:
    prefix = f"{below}/" if below else ""
    return write_tree(root, {f"{prefix}{stem}.JPEG": encoded((n, 0, 0), form="JPEG") for n, stem in enumerate(STEMS)})


def kaggle() -> str:
    rows = (f"{stem},{wnid} 85 1 499 272\n" for stem, wnid in zip(STEMS, WNIDS, strict=True))
    return "ImageId,PredictionString\n" + "".join(rows)


def devkit(root: Path, below: str) -> None:
    """The kit counts its classes in an order of its own: here the three that occur, backwards, and one group."""
    folder = root / below
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(number, wnid) for number, wnid in enumerate(reversed(WNIDS), 1)] + [(1001, "n00001740")]
    kind = [("ILSVRC2012_ID", object), ("WNID", object), ("words", object)]
    synsets = np.array([(np.int16(number), wnid, "words") for number, wnid in rows], kind).reshape(-1, 1)
    savemat(folder / "meta.mat", {"synsets": synsets})
    (folder / "ILSVRC2012_validation_ground_truth.txt").write_text("3\n2\n1\n")


@pytest.mark.parametrize(
    ("below", "files", "source"),
    [
        ("val", {"LOC_val_solution.csv": kaggle()}, "LOC_val_solution.csv"),
        ("ILSVRC/Data/CLS-LOC/val", {"LOC_val_solution.csv": kaggle()}, "LOC_val_solution.csv"),
        ("", {"LOC_val_solution.csv": kaggle()}, "LOC_val_solution.csv"),
        ("val", {"val.txt": "".join(f"{s}.JPEG {place(w)}\n" for s, w in zip(STEMS, WNIDS, strict=True))}, "val.txt"),
        ("", {"val.txt": "".join(f"val/{s}.JPEG {w}\r\n" for s, w in zip(STEMS, WNIDS, strict=True))}, "val.txt"),
        ("val", {"imagenet_2012_validation_synset_labels.txt": "\n".join(WNIDS)}, "synset_labels"),
        (
            "ILSVRC/Data/CLS-LOC/val",
            {
                f"ILSVRC/Annotations/CLS-LOC/val/{stem}.xml": f"<annotation><object><name>{wnid}</name></object>"
                for stem, wnid in zip(STEMS, WNIDS, strict=True)
            }
            | {"ILSVRC/ImageSets/CLS-LOC/val.txt": "".join(f"{stem} {n}\n" for n, stem in enumerate(STEMS, 999))},
            "*.xml",
        ),
    ],
)
def test_classes_come_from_the_file_beside_the_pictures(tmp_path, below, files, source):
    root = write_tree(flat(tmp_path / "imagenet", below), files)
    found = open_set(root)
    assert found.kind == "imagenetval"
    assert len(found.keys) == 1000
    assert [found.keys[label] for label in found.labels] == WNIDS
    assert [found.names[label] for label in found.labels] == [imagenet_classes()[place(wnid)][1] for wnid in WNIDS]
    assert found.names[place("n01440764")] == "tench"
    assert source in found.note
    assert found.image(2).getpixel((0, 0))[0] in (1, 2, 3)


@pytest.mark.parametrize("below", ["", "val", "ILSVRC2012_devkit_t12/data", "devkit/data"])
def test_the_development_kit_counts_in_its_own_order(tmp_path, below):
    root = flat(tmp_path / "imagenet")
    devkit(root, below)
    found = open_set(root)
    assert [found.keys[label] for label in found.labels] == WNIDS


def test_numbers_of_the_kit_without_its_list_are_refused(tmp_path):
    root = write_tree(flat(tmp_path / "imagenet"), {"ILSVRC2012_validation_ground_truth.txt": "3\n2\n1\n"})
    with pytest.raises(UnreadableData, match=r"development kit's own, not the order of the WordNet ids; put meta\.mat"):
        open_set(root)


def test_pictures_without_any_list_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(UnreadableData, match=r"no file that says their classes.*LOC_val_solution\.csv"):
        open_set(flat(tmp_path / "imagenet"))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"LOC_val_solution.csv": "a,b\n"}, "no rows of a picture and a WordNet id"),
        ({"val.txt": "".join(f"{stem} {n}\n" for n, stem in enumerate(STEMS, 1000))}, "no place from 0 to 999"),
        ({"val.txt": "nothing\n"}, "no lines of a picture and a class"),
        ({"synset_labels.txt": "1\n2\n3\n"}, "does not hold a WordNet id a line"),
        ({"LOC_val_solution.csv": "ILSVRC2012_val_00000009,n01440764 1 2 3 4\n"}, "lists none of the pictures"),
        ({"ILSVRC2012_validation_ground_truth.txt": "1\n", "meta.mat": "junk"}, "not the meta.mat"),
    ],
)
def test_a_list_that_cannot_be_used_is_named(tmp_path, files, reason):
    with pytest.raises(UnreadableData, match=reason):
        open_set(write_tree(flat(tmp_path / "imagenet"), files))


def test_pictures_that_the_list_lacks_are_listed(tmp_path):
    root = write_tree(flat(tmp_path / "imagenet"), {"LOC_val_solution.csv": "".join(kaggle().splitlines(True)[:3])})
    found = open_set(root)
    assert len(found.labels) == 2
    assert {item.item: item.reason for item in found.left_out if "JPEG" in item.item} == {
        f"{STEMS[2]}.JPEG": "LOC_val_solution.csv does not list it"
    }


def test_class_folders_of_the_training_set_stay_and_can_be_asked_for(tmp_path):
    files = {f"train/{wnid}/{wnid}_1.JPEG": encoded(form="JPEG") for wnid in WNIDS}
    root = write_tree(flat(tmp_path / "imagenet"), files)
    assert open_set(root).keys == sorted(WNIDS)
    write_tree(root, {"LOC_val_solution.csv": kaggle()})
    assert open_set(root).kind == "imagenetval"
    assert open_set(f"{root}#split=train").keys == sorted(WNIDS)
    assert open_set(f"{root}#split=val").kind == "imagenetval"
    assert open_set(root / "val").kind == "imagenetval"


def test_val_with_class_folders_beside_annotations_is_ordinary(tmp_path):
    files = {f"val/{wnid}/{n}.JPEG": encoded(form="JPEG") for n, wnid in enumerate(WNIDS)}
    root = write_tree(tmp_path / "imagenet", files | {"LOC_synset_mapping.txt": "x", "annotations/a.xml": "x"})
    found = open_set(root)
    assert (found.kind, found.keys) == ("folders", sorted(WNIDS))
    assert "tench" in found.names


def test_the_list_may_lie_above_the_folder_that_is_opened(tmp_path):
    root = write_tree(flat(tmp_path / "kaggle", "ILSVRC/Data/CLS-LOC/val"), {"LOC_val_solution.csv": kaggle()})
    val = root / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    assert len(open_set(val).labels) == 3
    with pytest.raises(UnreadableData, match="no file that says their classes"):  # not above what may be served
        open_set(val, roots=[val.resolve()])
