"""Image sets fetched from a hub on loopback: Let It Wag! and webdatasets, whole and as a quick look."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import downloads as fetch
from core.datasets import open_set
from core.downloads.letitwag import class_folders
from core.errors import BadInput, DownloadFailed, Stopped, UnknownName
from core.types import Progress, silent
from tests.hub import StandIn, picture, stop_after
from tests.killed import at_every_step

LETITWAG = "bethgelab/Let-It-Wag"
NAMES = ["A310", "Bank_Swallow", "worm_snake", "../../etc", "a/b", "A310 ", "bank_swallow", "Handstand_Walking"]


def letitwag(*, sorted_rows: bool, text_labels: bool = False, card: bool = False) -> dict[str, bytes]:
    """Three parquet files of six row groups with ten rows each: 180 images of the classes of NAMES."""
    labels = np.sort(np.arange(180) % len(NAMES))
    if not sorted_rows:
        labels = np.random.default_rng(0).permutation(labels)
    files = {}
    for file in range(3):
        part = range(60 * file, 60 * file + 60)
        images = [{"bytes": picture(row) if row != 7 else b"no picture", "path": f"../{row}.jpg"} for row in part]
        names = [NAMES[label] for label in labels[part]]
        table = pa.table({"image": images, "label": names if text_labels else labels[part]})
        if not card and not text_labels:
            features = {"image": {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}}
            meta = json.dumps({"info": {"features": features}})
            table = table.replace_schema_metadata({"huggingface": meta})
        out = io.BytesIO()
        pq.write_table(table, out, row_group_size=10)
        files[f"data/train-0000{file}-of-00003.parquet"] = out.getvalue()
    lines = "".join(f"          '{index}': {json.dumps(name)}\n" for index, name in enumerate(NAMES))
    head = f"dataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n{lines}"
    return files | {"README.md": f"---\n{head}---\n".encode() if card else b"---\nlicense: mit\n---\n"}


def fetched(folder: Path) -> dict[str, list[bytes]]:
    """Original class name -> contents of its pictures."""
    classes = json.loads((folder / "provenance.json").read_text())["classes"]
    assert {path.name for path in folder.iterdir()} == {*classes, "provenance.json"}
    return {name: [path.read_bytes() for path in sorted((folder / one).iterdir())] for one, name in classes.items()}


@pytest.mark.parametrize("sorted_rows", [True, False])
def test_a_few_images_of_every_class_cost_few_bytes(stand_in: StandIn, tmp_cache: Path, sorted_rows: bool) -> None:
    files = letitwag(sorted_rows=sorted_rows)
    stand_in.add("dataset", LETITWAG, files)
    whole = sum(len(data) for path, data in files.items() if path.endswith(".parquet"))
    plan = fetch.plan_set("letitwag", per_class=2)
    surveyed = stand_in.sent(".parquet")
    stand_in.requests.clear()
    assert fetch.run(plan, report=silent) == tmp_cache / "sets" / "letitwag"
    assert stand_in.sent(".parquet") == plan.bytes  # stated exactly, pictures only
    assert plan.bytes < whole / 2
    if sorted_rows:
        # One row group can serve two neighbouring classes at most.
        assert plan.bytes > whole * len(NAMES) / 2 / 18 * 0.9
    assert surveyed < whole / 2
    pictures = fetched(plan.target)
    assert list(pictures) == NAMES
    facts = fetch.provenance("letitwag")
    assert max(len(each) for each in pictures.values()) == 2
    assert sum(len(each) for each in pictures.values()) + len(facts["left_out"]) == 2 * len(NAMES)
    assert all(data == picture_of(files, data) for each in pictures.values() for data in each)
    assert (facts["commit"], facts["per_class"]) == (stand_in.commit("dataset", LETITWAG), 2)


def picture_of(files: dict[str, bytes], data: bytes) -> bytes | None:
    """The picture of the repository that equals ``data``, found through pyarrow alone."""
    for content in files.values():
        if content.startswith(b"PAR1"):
            for image in pq.read_table(io.BytesIO(content)).column("image").to_pylist():
                if image["bytes"] == data:
                    return image["bytes"]
    return None


def test_labels_that_statistics_settle_are_not_read(stand_in: StandIn) -> None:
    stand_in.add("dataset", LETITWAG, letitwag(sorted_rows=False))
    fetch.plan_set("letitwag", per_class=1)
    shuffled = len(stand_in.requests)
    stand_in.add("dataset", LETITWAG, letitwag(sorted_rows=True))
    stand_in.requests.clear()
    fetch.plan_set("letitwag", per_class=1)
    # Of 18 sorted row groups all but those with a class border hold one label.
    assert len(stand_in.requests) <= shuffled - 10


@pytest.mark.parametrize("form", ["recorded", "card", "text"])
def test_the_whole_set_is_unpacked_into_class_folders(stand_in: StandIn, tmp_cache: Path, form: str) -> None:
    files = letitwag(sorted_rows=True, card=form == "card", text_labels=form == "text")
    stand_in.add("dataset", LETITWAG, files)
    plan = fetch.plan_set("letitwag")
    assert plan.bytes == sum(len(data) for path, data in files.items() if path.endswith(".parquet"))
    assert "in 3 files" in plan.sentence
    progress: list[Progress] = []
    fetch.run(plan, report=progress.append)
    assert (progress[-1].done, progress[-1].total) == (plan.bytes, plan.bytes)
    pictures = fetched(plan.target)
    labels = np.sort(np.arange(180) % len(NAMES))
    expected = {
        name: [picture(row) for row in np.flatnonzero(labels == index) if row != 7] for index, name in enumerate(NAMES)
    }
    assert pictures == expected
    facts = fetch.provenance("letitwag")
    assert [item["item"] for item in facts["left_out"]] == ["A310/00-000007"]
    assert not (tmp_cache / "sets" / ".partial" / "letitwag").exists()
    again = fetch.plan_set("letitwag", per_class=3)
    assert (again.bytes, again.per_class) == (0, None)
    assert "on this disk already" in again.sentence


def test_a_stopped_set_goes_on_and_shows_only_when_complete(stand_in: StandIn, tmp_cache: Path) -> None:
    stand_in.add("dataset", LETITWAG, letitwag(sorted_rows=True))
    small = fetch.plan_set("letitwag", per_class=1)
    fetch.run(small, report=silent)
    plan = fetch.plan_set("letitwag", per_class=4)
    stand_in.requests.clear()
    with pytest.raises(Stopped):
        fetch.run(plan, report=stop_after(plan.bytes // 2))
    assert fetch.provenance("letitwag")["per_class"] == 1
    before = {(each.path, each.range) for each in stand_in.requests if each.sent}
    again = fetch.plan_set("letitwag", per_class=4)
    stand_in.requests.clear()
    fetch.run(again, report=silent)
    after = {(each.path, each.range) for each in stand_in.requests if each.sent}
    assert len(before) >= 2
    assert len(before & after) <= 1  # only the row group in flight comes twice
    assert {len(each) for each in fetched(plan.target).values()} == {4}


def test_class_folders_are_harmless_and_distinct() -> None:
    names = ["../../etc", "a/b", "A310", "a310", "", ". .", "con\0", "é ü", "x" * 300, "Dassault (Falcon), 900"]
    folders = list(class_folders(names).values())
    assert len({folder.casefold() for folder in folders}) == len(names)
    assert all("/" not in folder and "\0" not in folder and folder.strip(" .") for folder in folders)
    assert all(len(folder) <= 110 for folder in folders)
    assert (folders[2], folders[3], folders[-1]) == ("A310", "a310-2", "Dassault (Falcon), 900")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PAR1 is all that is parquet here" * 99, "not parquet"),
        (b"", "not parquet"),
        ("other columns", "no column image or label"),
        ("labels too large", "labels beyond"),
    ],
)
def test_damaged_or_changed_files_are_told(stand_in: StandIn, content: bytes | str, problem: str) -> None:
    if isinstance(content, str):
        out = io.BytesIO()
        images = [{"bytes": picture(0), "path": None}] * 5
        table = {"picture": images} if content == "other columns" else {"image": images, "label": [0, 1, 2, 3, 99]}
        pq.write_table(pa.table(table), out)
        content = out.getvalue()
    stand_in.add("dataset", LETITWAG, {"data/0.parquet": content})
    with pytest.raises(DownloadFailed, match=problem):
        fetch.plan_set("letitwag", per_class=1)


def shard(samples: range, classes: int, *, size: int, order: str = "cls first", many: bool = False) -> bytes:
    """A shard as webdataset writes it: extended headers because of a fractional time, label before the picture."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for sample in samples:
            label = sample * classes // 120
            vector = io.BytesIO()
            np.save(vector, np.eye(classes, dtype=np.int64)[label] + np.eye(classes, dtype=np.int64)[0])
            entries = [("npy", vector.getvalue()) if many else ("cls", str(label).encode())]
            entries.insert(0 if order != "cls first" else 1, ("webp", wds_picture(sample, size)))
            for extension, data in entries:
                info = tarfile.TarInfo(f"s{sample:07d}.{extension}")
                info.size, info.mtime = len(data), 1674216000.123
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def wds_picture(sample: int, size: int) -> bytes:
    return b"RIFF----WEBP" + random.Random(sample).randbytes(size + sample)


def wds(*, size: int = 30_000, classes: int = 6, **form: object) -> dict[str, bytes]:
    """120 images of six classes, sorted, in three shards."""
    return {
        **{f"test/{i}.tar": shard(range(40 * i, 40 * i + 40), classes, size=size, **form) for i in range(3)},
        "test/nshards.txt": b"3",
        "train/0.tar": b"not wanted",
        "classnames.txt": "\n".join(f"class {index}" for index in range(classes)).encode() + b"\n",
        "zeroshot_classification_templates.txt": b"a photo of a {c}.",
        "README.md": b"not wanted",
    }


def test_all_shards_arrive_as_they_are(stand_in: StandIn, tmp_cache: Path) -> None:
    files = wds(size=5000)
    stand_in.add("dataset", "clip-benchmark/wds_tiny", files)
    plan = fetch.plan_set("wds/tiny")
    wanted = {path: data for path, data in files.items() if not path.startswith(("train", "README"))}
    assert (plan.id, plan.bytes) == ("wds_tiny", sum(map(len, wanted.values())))
    with pytest.raises(Stopped):
        fetch.run(plan, report=stop_after(plan.bytes // 2))
    assert fetch.provenance("wds_tiny") is None
    folder = fetch.run(plan, report=silent)
    assert folder == tmp_cache / "sets" / "wds_tiny"
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert json.loads(found.pop("provenance.json"))["commit"] == stand_in.commit("dataset", "clip-benchmark/wds_tiny")
    assert found == wanted


@pytest.mark.slow
def test_a_fetch_killed_at_any_step_is_taken_up_and_leaves_nothing(
    stand_in: StandIn, tmp_path: Path, tmp_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"HF_ENDPOINT": stand_in.url, "HF_HUB_CACHE": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    stand_in.add("dataset", LETITWAG, letitwag(sorted_rows=True))
    prepare = "from core import downloads; from core.downloads import letitwag, parquet"
    code = "downloads.run(downloads.plan_set('letitwag', per_class=1), report=lambda progress: None)"
    expected, steps = fetched(fetch.run(fetch.plan_set("letitwag", per_class=1), report=silent)), 0
    shutil.rmtree(tmp_cache / "sets")
    for _ in at_every_step(code, prepare=prepare):
        plan = fetch.plan_set("letitwag", per_class=1)
        assert fetched(fetch.run(plan, report=silent)) == expected
        assert [path.name for path in (tmp_cache / "sets").rglob("*.tmp")] == []
        assert list((tmp_cache / "sets" / ".partial").iterdir()) == []
        shutil.rmtree(tmp_cache / "sets")
        steps += 1
    assert steps > 10


@pytest.mark.parametrize("order", ["cls first", "picture first"])
@pytest.mark.parametrize("size", [30_000, 100])
def test_a_quick_look_takes_the_first_images_of_every_class(stand_in: StandIn, order: str, size: int) -> None:
    files = wds(size=size, order=order)
    stand_in.add("dataset", "clip-benchmark/wds_tiny", files)
    whole = sum(len(data) for path, data in files.items() if path.startswith("test/"))
    plan = fetch.plan_set("wds_tiny", per_class=3)
    folder = fetch.run(plan, report=silent)
    if size == 30_000:
        assert stand_in.sent(".tar") < 0.35 * whole
        assert stand_in.sent() == pytest.approx(plan.bytes, rel=0.25)
    with tarfile.open(folder / "test" / "0.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    kept = [20 * label + place for label in range(6) for place in range(3)]
    expected = {f"s{sample:07d}.cls": str(sample // 20).encode() for sample in kept}
    expected |= {f"s{sample:07d}.webp": wds_picture(sample, size) for sample in kept}
    assert members == expected
    assert (folder / "test" / "nshards.txt").read_text() == "1"
    assert (folder / "classnames.txt").read_bytes() == files["classnames.txt"]
    assert fetch.provenance("wds_tiny")["images"] == 18


def test_a_stopped_quick_look_keeps_what_it_found(stand_in: StandIn) -> None:
    stand_in.add("dataset", "clip-benchmark/wds_tiny", wds())
    plan = fetch.plan_set("wds_tiny", per_class=3)
    with pytest.raises(Stopped):
        fetch.run(plan, report=stop_after(plan.bytes * 3 // 4))
    first = stand_in.sent(".tar")
    stand_in.requests.clear()
    fetch.run(plan, report=silent)
    assert stand_in.sent(".tar") < first / 2
    assert fetch.provenance("wds_tiny")["images"] == 18


def test_label_vectors_stay_vectors(stand_in: StandIn) -> None:
    stand_in.add("dataset", "clip-benchmark/wds_many", wds(many=True))
    folder = fetch.run(fetch.plan_set("wds_many", per_class=2), report=silent)
    with tarfile.open(folder / "test" / "0.tar") as tar:
        vector = np.load(io.BytesIO(tar.extractfile("s0000100.npy").read()), allow_pickle=False)
    assert vector.tolist() == [1, 0, 0, 0, 0, 1]


def test_captions_have_no_first_images_of_a_class(stand_in: StandIn) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("0.jpg"), io.BytesIO())
    stand_in.add("dataset", "clip-benchmark/wds_captions", {"test/0.tar": out.getvalue()})
    with pytest.raises(BadInput, match="fetch all of it"):
        fetch.plan_set("wds_captions", per_class=1)


def test_a_damaged_shard_is_told(stand_in: StandIn) -> None:
    files = wds()
    stand_in.add("dataset", "clip-benchmark/wds_tiny", files | {"test/1.tar": files["test/1.tar"][:700_000]})
    with pytest.raises(DownloadFailed, match=r"test/1\.tar is not a sound tar file"):
        fetch.run(fetch.plan_set("wds_tiny", per_class=3), report=silent)


@pytest.mark.parametrize("id", ["wds_../../x", "wds_", "imagenet", "wds/../../x"])
def test_only_known_names_can_be_fetched(stand_in: StandIn, id: str) -> None:
    with pytest.raises(UnknownName):
        fetch.plan_set(id)
    assert stand_in.requests == []


def test_a_hostile_label_is_told(stand_in: StandIn) -> None:
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + b"{'descr': __import__('os').system('x')".ljust(118)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in (("0.npy", header), ("0.jpg", picture(0))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    stand_in.add("dataset", "clip-benchmark/wds_evil", {"test/0.tar": out.getvalue(), "classnames.txt": b"a"})
    with pytest.raises(DownloadFailed, match=r"0\.npy of test/0\.tar is not a label"):
        fetch.plan_set("wds_evil", per_class=1)


@pytest.mark.slow
def test_the_environment_is_respected(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add("dataset", LETITWAG, letitwag(sorted_rows=True))
    stand_in.token = "secret"
    script = (
        "from core import downloads; print(downloads.run(downloads.plan_set('letitwag', 1), report=lambda p: None))"
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
        "HF_ENDPOINT": stand_in.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": "secret",
    }

    def told(**changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script], env=environment | changes, text=True, capture_output=True, check=False
        )

    offline = told(HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set" in offline.stderr
    assert stand_in.requests == []
    online = told()
    assert online.stdout.strip().endswith("sets/letitwag"), online.stderr
    assert fetch.provenance("letitwag")["endpoint"] == stand_in.url


def test_fetched_sets_open_as_image_sets(stand_in: StandIn) -> None:
    stand_in.add("dataset", LETITWAG, letitwag(sorted_rows=True))
    fetch.run(fetch.plan_set("letitwag", per_class=2), report=silent)
    rare = open_set("letitwag")
    assert sorted(rare.keys) == sorted(fetch.provenance("letitwag")["classes"])
    assert len(rare.labels) + len(fetch.provenance("letitwag")["left_out"]) == 2 * len(NAMES)
    stand_in.add("dataset", "clip-benchmark/wds_tiny", wds())
    fetch.run(fetch.plan_set("wds_tiny", per_class=2), report=silent)
    quick = open_set("wds_tiny")
    assert quick.labels.tolist() == [label for label in range(6) for _ in range(2)]
    assert list(quick.names) == [f"class {index}" for index in range(6)]


def test_fetchable_sets_say_what_is_on_disk(stand_in: StandIn) -> None:
    assert not any(each.available for each in fetch.list_fetchable())
    stand_in.add("dataset", LETITWAG, letitwag(sorted_rows=True))
    fetch.run(fetch.plan_set("letitwag", per_class=1), report=silent)
    assert [each.id for each in fetch.list_fetchable() if each.available] == ["letitwag"]


def test_two_jobs_for_one_set_share_the_download(stand_in: StandIn) -> None:
    stand_in.add("dataset", "clip-benchmark/wds_tiny", wds())
    plans = [fetch.plan_set("wds_tiny") for _ in range(2)]
    stand_in.requests.clear()
    threads = [threading.Thread(target=fetch.run, args=(plan,), kwargs={"report": silent}) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stand_in.sent() == plans[0].bytes


def test_a_full_disk_is_told_before_anything_is_fetched(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.add("dataset", "clip-benchmark/wds_tiny", wds(size=100))
    plan = fetch.plan_set("wds_tiny")
    stand_in.requests.clear()
    monkeypatch.setattr(fetch, "SPARE", 1 << 62)
    with pytest.raises(DownloadFailed, match="are free in"):
        fetch.run(plan, report=silent)
    assert stand_in.requests == []
