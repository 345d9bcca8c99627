from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.datasets import open_set
from core.datasets.matching import imagenet_groups, match
from core.datasets.names import imagenet_classes
from core.datasets.subset import accepted_labels, matched, over
from core.errors import BadInput, UnreadableData
from core.types import Track
from tests.fakes import FakeImageSet
from tests.helpers.sets import vid_tree
from tests.pictures import encoded, snapshot, write_tar, write_tree

PNG = encoded()
TENCH, GOLDFISH, SHARK = "n01440764", "n01443537", "n01484850"


def test_vid_robust_has_anchors_neighbours_and_several_labels(tmp_path):
    root = vid_tree(tmp_path / "vid")
    before = snapshot(root)
    found = open_set(root)
    assert found.kind == "vidrobust"
    assert found.names == ["airplane", "sea fish", "bear"]
    assert found.tracks == (Track(0, (1, 2), (-2, 2)), Track(3, (), ()))
    assert found.accepted[2] == {0, 2}
    assert found.labels.tolist() == [1, 1, 0, 1]
    assert imagenet_groups(found) == ((404,), (0, 1), (294, 295))
    assert [item.item for item in found.left_out if "000006" in item.item] == ["val/v2/000006.JPEG"]
    assert found.image(0).size == (8, 6)
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("metadata/pmsets.json", [1], "holds no JSON object"),
        ("metadata/labels.json", {"val/v1/000010.JPEG": ["x"]}, "no class numbers"),
        ("metadata/labels.json", {"val/v1/000010.JPEG": [99_999]}, "no class numbers"),
        ("metadata/labels.json", None, "needs metadata"),
        ("metadata/pmsets.json", {"../../etc/passwd": []}, "no usable picture"),
    ],
)
def test_damaged_lists_are_one_sentence(tmp_path, name, value, message):
    with pytest.raises(UnreadableData, match=message):
        open_set(vid_tree(tmp_path / "vid", **{name: value}))


def test_a_frame_outside_the_folder_is_left_out(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    root = vid_tree(
        tmp_path / "vid",
        **{
            "metadata/pmsets.json": {"val/v1/000010.JPEG": ["../secret.png"]},
            "metadata/labels.json": {"val/v1/000010.JPEG": [1], "../secret.png": [1]},
        },
    )
    found = open_set(root)
    assert found.tracks == (Track(0, (), ()),)
    assert "climbs out" in next(item.reason for item in found.left_out if item.item == "../secret.png")


def test_a_list_that_links_out_of_the_served_folders_is_refused(tmp_path):
    root = vid_tree(tmp_path / "served" / "vid", **{"metadata/labels.json": None})
    (tmp_path / "labels.json").write_text("{}", encoding="utf-8")
    (root / "metadata" / "labels.json").symlink_to(tmp_path / "labels.json")
    with pytest.raises(UnreadableData, match="outside the folders"):
        open_set(root, roots=[tmp_path / "served"])


def test_ytbb_robust_keeps_what_the_reviewers_passed(tmp_path):
    marks = ["good", "bad", "zebra", "cat"]
    pairs = ["similar", "dissimilar", "bad-anchor", "blur-increase"]
    anchor, spoilt, unsure = "a_1000/frame-15.jpg", "b_2000/frame-30.jpg", "c_1/frame-1.jpg"
    near = ["a_1000/frame-14.jpg", "a_1000/frame-18.jpg", "a_1000/frame-19.jpg"]
    annotations = {
        "anchor_labels.json": {
            "labels": marks,
            "annotations": [
                {"key": f"frames/{anchor}", "labels": [0, 2]},
                {"key": spoilt, "labels": [0, 3]},
                {"key": unsure, "labels": [0, 1]},
            ],
        },
        "pmk_labels.json": {
            "labels": pairs,
            "annotations": [
                {"key": f"frames/{anchor},frames/{near[0]}", "labels": [0]},
                {"key": f"{anchor},{near[1]}", "labels": [0, 3]},
                {"key": f"{anchor},{near[2]}", "labels": [0]},
                {"key": f"{spoilt},b_2000/frame-31.jpg", "labels": [0, 2]},
            ],
        },
        "ytbb_class_index.json": {
            str(index): name for index, name in enumerate(["cat", "zebra", *"abcdefghijklmnopqrstuv"])
        },
    }
    files = {f"metadata/{name}": json.dumps(value) for name, value in annotations.items()}
    full = "ytid,time_ms,label\na,1000,22\n"
    root = write_tree(
        tmp_path / "ytbb",
        {**files, "metadata/ytbb_robustness_test_anchors_full.csv": full}
        | dict.fromkeys([anchor, spoilt, unsure, *near], PNG),
    )
    found = open_set(root)
    assert found.kind == "ytbbrobust"
    assert found.image_ids == [anchor, near[0], near[2]]
    assert found.tracks == (Track(0, (1, 2), (-1, 4)),)
    # Class 22 of the table of first labels is the index's 23; a neighbour has its anchor's classes.
    assert set(found.accepted) == {frozenset({1, 23})}
    assert found.imagenet == ()
    assert len(found.keys) == 24
    assert any("did not pass" in item.reason for item in found.left_out)


def objectnet_tree(root: Path, *, size: tuple[int, int] = (20, 20)) -> Path:
    """Three folders, of which two are ImageNet's: one of them stands for two ImageNet classes."""
    mappings = {
        "mappings/folder_to_objectnet_label.json": {"fish": "Fish", "tench": "Tench (fish)", "air_freshener": "Air"},
        "mappings/objectnet_to_imagenet_1k.json": {"Fish": "goldfish; great white shark", "Tench (fish)": "tench"},
        "mappings/pytorch_to_imagenet_2012_id.json": {"0": 2, "1": 0, "2": 1},
    }
    lines = "goldfish\ngreat white shark\ntench\n"  # line n is ImageNet-2012 id n, not the usual index
    pictures = {
        f"images/{name}/{i}.png": encoded(size=size) for name in ("fish", "tench", "air_freshener") for i in (0, 1)
    }
    files = {name: json.dumps(value) for name, value in mappings.items()}
    return write_tree(root, {**pictures, **files, "mappings/imagenet_to_label_2012_v2": lines})


def test_objectnet_keeps_the_classes_of_imagenet_and_cuts_the_border(tmp_path):
    root = objectnet_tree(tmp_path / "objectnet-1.0")
    found = open_set(root)
    assert found.kind == "objectnet"
    assert found.keys == ["fish", "tench"]
    assert found.names == ["Fish", "Tench (fish)"]
    assert [list(group) for group in found.imagenet] == [[1, 2], [0]]
    assert found.image(0).size == (16, 16)
    assert "2 of 3 classes" in found.note
    assert any("1 classes" in item.item for item in found.left_out)
    whole = open_set(f"{root}#border=0")
    assert whole.image(0).size == (20, 20)
    assert whole.fingerprint != found.fingerprint
    assert whole.image_ids == found.image_ids


def test_a_border_is_only_for_objectnet_and_smaller_than_the_picture(tmp_path):
    folders = write_tree(tmp_path / "plain", {"a/1.png": PNG, "b/1.png": PNG})
    with pytest.raises(BadInput, match="Only ObjectNet"):
        open_set(f"{folders}#border=2")
    small = open_set(objectnet_tree(tmp_path / "small", size=(4, 4)))
    with pytest.raises(UnreadableData, match="no larger than the border"):
        small.image(0)


def test_broken_mappings_are_one_sentence(tmp_path):
    root = objectnet_tree(tmp_path / "o")
    (root / "mappings" / "pytorch_to_imagenet_2012_id.json").write_text('{"0": 2}', encoding="utf-8")
    with pytest.raises(UnreadableData, match="do not fit together"):
        open_set(root)


def test_predicting_over_all_thousand_classes_is_labelled_and_keeps_the_vectors(tmp_path):
    root = write_tree(tmp_path / "imagenet-a", {f"{wnid}/1.png": PNG for wnid in (TENCH, SHARK)})
    own, wide = open_set(root), open_set(f"{root}#over=imagenet")
    assert (len(own.keys), len(wide.keys)) == (2, 1000)
    assert wide.labels.tolist() == [0, 2]
    assert wide.names[2] == imagenet_classes()[2][1]
    assert "Predicted over the 1,000 classes" in wide.note
    assert wide.fingerprint == own.fingerprint
    assert wide.image_ids == own.image_ids
    with pytest.raises(BadInput, match="not known as ImageNet"):
        open_set("icons#over=imagenet")


def test_predicting_over_the_mapped_classes_equals_projection_by_max(tmp_path):
    frames = open_set(vid_tree(tmp_path / "vid"))
    view = over(frames, "mapped")
    used, rng = [0, 1, 294, 295, 404], np.random.default_rng(3)
    assert view.keys == [imagenet_classes()[index][0] for index in used]
    accepted = accepted_labels(view)
    groups = {0: [404], 1: [0, 1], 2: [294, 295]}
    for logits in rng.normal(size=(200, 1000)):
        projected = np.argmax([logits[groups[label]].max() for label in range(3)])
        said = int(np.argmax(logits[used]))
        for row in range(len(frames.labels)):
            assert (said in accepted[row]) == (int(projected) in frames.accepted[row])
    assert view.tracks == frames.tracks


def test_accuracy_in_distribution_is_taken_on_the_classes_of_the_shift(tmp_path):
    val = open_set(
        write_tree(tmp_path / "val", {f"{w}/{i}.png": PNG for w in (TENCH, GOLDFISH, SHARK) for i in (1, 2)})
    )
    hard = open_set(write_tree(tmp_path / "a", {f"{w}/1.png": PNG for w in (SHARK, TENCH)}))
    found = matched(val, hard)
    assert found.keys == [TENCH, SHARK]
    assert [val.image_ids[row] for row in found.rows] == [
        "n01440764/1.png",
        "n01440764/2.png",
        "n01484850/1.png",
        "n01484850/2.png",
    ]
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.image(3).size == (8, 6)
    same = open_set(write_tree(tmp_path / "b", {f"{w}/1.png": PNG for w in (TENCH, GOLDFISH, SHARK)}))
    assert matched(val, same) is val
    assert len(matched(val, over(hard, "imagenet")).keys) == 1000
    assert matched(val, over(hard, "imagenet")).labels.tolist() == [0, 0, 2, 2]


def test_video_classes_count_as_one_in_distribution_and_objectnets_do_not(tmp_path):
    val = open_set(write_tree(tmp_path / "val", {f"{w}/1.png": PNG for w in (TENCH, GOLDFISH, SHARK)}))
    view = over(open_set(vid_tree(tmp_path / "vid")), "mapped")
    merged = matched(val, view)
    assert [merged.keys[label] for label in merged.labels] == [TENCH, GOLDFISH]
    assert {len(labels) for labels in accepted_labels(merged)} == {2}
    objects = matched(val, over(open_set(objectnet_tree(tmp_path / "o")), "mapped"))
    assert {len(labels) for labels in accepted_labels(objects)} == {1}
    assert len(objects.labels) == 3
    named = matched(val, open_set(objectnet_tree(tmp_path / "o2")))
    assert named.names == ["Fish", "Tench (fish)"]
    assert named.labels.tolist() == [1, 0, 0]


def test_webdatasets_match_by_name_and_unrelated_sets_are_refused(tmp_path):
    members = {"0.png": PNG, "0.cls": "1", "1.png": PNG, "1.cls": "0"}
    write_tar(tmp_path / "wds" / "test" / "0.tar", members)
    (tmp_path / "wds" / "classnames.txt").write_text("goldfish\ntench\n", encoding="utf-8")
    shards = open_set(tmp_path / "wds")
    val = open_set(write_tree(tmp_path / "val", {f"{w}/1.png": PNG for w in (TENCH, GOLDFISH, SHARK)}))
    assert imagenet_groups(shards) == ((1,), (0,))
    assert match(shards, val) == ((1,), (0,))
    with pytest.raises(BadInput, match="no class in common"):
        match(FakeImageSet(), val)


def test_integer_folders_of_v2_are_matched_by_index(tmp_path):
    v2 = open_set(write_tree(tmp_path / "v2", {f"{i}/": "" for i in range(1000)} | {"2/a.png": PNG, "10/a.png": PNG}))
    val = open_set(write_tree(tmp_path / "val", {f"{w}/1.png": PNG for w in (TENCH, GOLDFISH, SHARK)}))
    assert match(v2, val)[:3] == ((0,), (1,), (2,))
    found = matched(val, v2)
    assert found.labels.tolist() == [2]  # only the shark occurs in both
    assert len(found.keys) == 1000
