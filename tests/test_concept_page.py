"""One concept in full: its names and counts, what it is confused with, and five pictures from the hub's row groups."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from PIL import Image

from core import downloads
from core.analysis import concepts, findings
from core.datasets.names import wordnet_id, wordnet_names
from core.downloads import concept as pictures
from core.downloads import hub
from core.downloads.on_hub import ON_HUB
from core.errors import DownloadFailed, UnknownName
from core.frequency import imported
from core.frequency.spoken import called
from core.published import letitwag
from core.runtime.jobs import Engine
from core.text.search import nearest_names
from core.types import silent
from tests.answers import answer_with_accuracies
from tests.fakes import FakeImageSet
from tests.helpers.pages import figures, opened, settled, words
from tests.hub import StandIn, serve
from tests.shipped_release import load

LETITWAG = ON_HUB["letitwag"].repository
NAMES = ("vine snake", "sea snake", "apple", "Barbet_bird")
ROWS, GROUP = 12, 6  # rows of every class, rows of a group


def picture(shade: int) -> bytes:
    """A JPEG of noise, so that row groups weigh something."""
    noise = np.random.default_rng(shade).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG")
    return out.getvalue()


def stored(
    names: tuple[str, ...], *, image: str = "image", label: str = "label", path: str = "data/{}.parquet", more: str = ""
) -> dict[str, bytes]:
    """Two files of four row groups, sorted by class; row 1 is no picture. ``more``: a file of another split."""
    features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
    labels = np.repeat(np.arange(len(names)), ROWS)
    files: dict[str, bytes] = {"README.md": b"---\nlicense: mit\n---\n"}
    for file, part in enumerate(np.split(np.arange(len(labels)), 2)):
        images = [{"bytes": b"no picture" if row == 1 else picture(row), "path": "x.jpg"} for row in part.tolist()]
        table = pa.table({image: images, label: labels[part]})
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        out = io.BytesIO()
        pq.write_table(table, out, row_group_size=GROUP)
        files[path.format(file)] = out.getvalue()
    return files | ({more: b"never opened"} if more else {})


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A hub with a small Let It Wag! of two files of four row groups, sorted by class; row 1 is no picture."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(hub, "PAUSE", 0.001)
    with serve() as running:
        running.add("dataset", LETITWAG, stored(NAMES))
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        template = f"{running.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield running


def column_bytes(data: bytes, group: int) -> int:
    """What the pictures of this row group weigh in the file."""
    meta = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(group)
    columns = [meta.column(place) for place in range(meta.num_columns)]
    return sum(c.total_compressed_size for c in columns if c.path_in_schema == "image.bytes")


@pytest.mark.parametrize(("concept", "file", "groups"), [("sea snake", 0, (2, 3)), ("barbet bird", 1, (2, 3))])
def test_only_the_row_groups_of_the_concept_are_read(
    stand_in: StandIn, tmp_cache: Path, concept: str, file: int, groups: tuple[int, int]
) -> None:
    data = stand_in.repositories["dataset", LETITWAG]
    plan = pictures.plan_pictures("letitwag", concept)
    assert plan.bytes == min(column_bytes(data[f"data/{file}.parquet"], group) for group in groups)
    assert f"5 pictures of “{NAMES[[n.lower().replace('_', ' ') for n in NAMES].index(concept)]}”" in plan.sentence
    assert pictures.pictures("letitwag", concept) is None
    stand_in.requests.clear()
    downloads.run(plan, report=silent)
    assert stand_in.sent(".parquet") == plan.bytes
    kept = pictures.pictures("letitwag", concept)
    assert [Image.open(io.BytesIO(one)).size for one in kept] == [(60, 60)] * 5
    stand_in.requests.clear()
    pictures.plan_pictures("letitwag", "apple")
    assert stand_in.sent(".parquet") == 0  # footers and labels are known


def test_bytes_that_are_no_picture_are_skipped_and_counted(stand_in: StandIn, tmp_cache: Path) -> None:
    plan = pictures.plan_pictures("letitwag", "vine snake")
    downloads.run(plan, report=silent)
    assert len(pictures.pictures("letitwag", "vine snake")) == 4
    facts = json.loads((plan.target / pictures.NOTE).read_text())
    assert (facts["pictures"], facts["unreadable"], facts["repository"]) == (4, 1, LETITWAG)
    with pytest.raises(UnknownName, match="no class called 'unicorn'"):
        pictures.plan_pictures("letitwag", "unicorn")


COPIES = [
    ("cub", "Sooty_Albatross", ("001.Black_footed_Albatross", "003.Sooty_Albatross"), "data/test-{}-of-2.parquet"),
    ("stanfordcars", "2012 Acura TL Sedan", ("AM General Hummer SUV 2000", "Acura TL Sedan 2012"), "d/test-{}.parquet"),
    ("ucf101", "Apply_Lipstick", ("ApplyEyeMakeup", "ApplyLipstick"), "data/test-{}.parquet"),
    ("imagenet", "goldfish", ("tench, Tinca tinca", "goldfish, Carassius auratus"), "data/validation-{}.parquet"),
    ("sun397", "outdoor apartment_building", ("abbey", "apartment building outdoor"), "data/test-{}.parquet"),
    ("cifar100", "aquarium_fish", ("apple", "aquarium_fish"), "cifar100/test-{}.parquet"),
    ("fgvcaircraft", "707-320", ("727-200", "707-320"), "data/test-{}.parquet"),
    ("imagenet-sketch", "goldfish", ("n01440764", "n01443537"), "default/train/{}.parquet"),
]


@pytest.mark.parametrize(("image_set", "concept", "names", "path"), COPIES, ids=[copy[0] for copy in COPIES])
def test_every_sets_copy_is_read_by_its_own_columns_split_and_spelling(
    stand_in: StandIn, tmp_cache: Path, image_set: str, concept: str, names: tuple[str, ...], path: str
) -> None:
    where = ON_HUB[image_set]
    columns = {"image": where.columns.image, "label": where.columns.label}
    other = path.replace(where.split, "train") if where.split else ""
    stand_in.add("dataset", where.repository, stored(names, path=path, more=other.format(0), **columns))
    plan = pictures.plan_pictures(image_set, concept)
    assert f"5 pictures of “{names[1 if names[1] != '727-200' else 0]}” from {where.repository}" in plan.sentence
    assert pictures.pictures(image_set, concept) is None
    stand_in.requests.clear()
    downloads.run(plan, report=silent)
    assert stand_in.sent(".parquet") == plan.bytes
    assert len(pictures.pictures(image_set, concept)) == 5
    assert json.loads((plan.target / pictures.NOTE).read_text())["repository"] == where.repository


def test_what_cannot_be_shown_is_one_sentence(stand_in: StandIn, tmp_cache: Path) -> None:
    eurosat, imagenet = ON_HUB["eurosat"].repository, ON_HUB["imagenet"].repository
    stand_in.add("dataset", eurosat, stored(("annual crop land", "lake or sea")))
    with pytest.raises(UnknownName, match=r"no class called 'Sea or Lake', so .*; nearest there: “lake or sea”"):
        pictures.plan_pictures("eurosat", "Sea or Lake")
    stand_in.add("dataset", imagenet, stored(("tench", "goldfish")))
    stand_in.gated.add(imagenet)
    with pytest.raises(DownloadFailed, match="given out only after its terms are accepted"):
        pictures.plan_pictures("imagenet", "tench")
    stand_in.add("dataset", ON_HUB["cub"].repository, stored(("a", "b"), label="bird"))
    with pytest.raises(DownloadFailed, match="no column label"):
        pictures.plan_pictures("cub", "a")
    with pytest.raises(UnknownName, match=r"as tar files only; fetch .* wds_country211"):
        pictures.plan_pictures("country211", "Andorra")
    assert set(ON_HUB) == {*concepts.SETS} - {"country211"}


def test_the_page_states_the_size_first_and_then_shows_five(page_engine: Engine, stand_in: StandIn) -> None:
    app = opened("explore", model="RN50-quickgelu,cc12m", set="imagenet", concept="vine snake")
    assert not app.exception
    assert not stand_in.requests  # nothing is asked of the hub unasked
    next(button for button in app.button if button.label == "Show five pictures: size first").click().run()
    settled(app)
    get = next(button for button in app.button if button.label.startswith("Show five pictures ("))
    assert stand_in.sent(".parquet") <= 2 * 65_536  # pyarrow reads 64 kB for a footer
    get.click().run()
    settled(app)
    assert not app.exception
    assert words(app).count("data:image/webp;base64,") == 4
    assert len(figures(app)) == 2
    assert "Nearest by name" in words(app)


def test_names_of_a_concept_have_the_counts_that_a_source_has() -> None:
    wnid = wordnet_id("vine snake")
    assert "vine snake" in wordnet_names(wnid)
    counts = load(Path("search_counts/imagenet_cc12m_lemmatized_search_counts.json"))
    (own, *_) = called("vine snake")
    assert own.counts["CC-12M"] == counts["vine snake"]
    assert "WordNet" in own.origins
    others = {one.name: one for one in called("tench")}
    assert {"tench", "Tinca tinca"} <= set(others)
    assert others["Tinca tinca"].counts == {}
    assert called("nothing of the kind")[0].counts == {}


def test_synonyms_of_a_neglectedtails_file_come_with_their_counts(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    record = {"name": "tench", "freq": 9, "actual_freq": 7, "alternates": {"tench": 5, "Tinca tinca": 2, "bad": "x"}}
    file.write_text(json.dumps({"0": record, "1": {**record, "name": "carp", "alternates": {}}}))
    imported.keep(file, "tails")
    assert imported.alternates("imported:tails") == {"tench": {"tench": 5, "Tinca tinca": 2}, "carp": {}}
    names = {one.name: one for one in called("tench")}
    assert 2 in names["Tinca tinca"].counts.values()
    assert 7 in names["tench"].counts.values()  # the source's own count of the concept stands


def test_an_icons_terms_have_the_counts_of_the_icon_corpora() -> None:
    names = called("apple", icon="apple-whole")
    assert names[0].counts["icons-200k"] == 2
    assert {one.origins for one in names[1:]} == {("icon term",)}


def test_confusions_are_counted_and_nearest_names_share_their_kind() -> None:
    images = FakeImageSet(classes=3, n=12)
    answer = answer_with_accuracies([4, 1, 0], 4, keys=images.keys, names=images.names)
    for label in range(3):
        predicted = answer.top[answer.labels == label, 0].tolist()
        wrong = {other: predicted.count(other) for other in set(predicted) - {label}}
        assert dict(findings.confused_with(answer, label)) == wrong
    names = ["vine snake", "sea snake", "grape vine", "snack", "apple", "vine snake"]
    assert [names[at] for at in nearest_names("vine snake", names, most=2)] == ["sea snake", "grape vine"]


def test_model_sizes_are_those_of_the_forty_published_models() -> None:
    found = concepts.find("vine snake")
    stated = {(one.model, one.pretraining): one.parameters for one in letitwag.models()}
    sizes = {score.model: score.parameters for score in found.scores}
    assert sizes["RN50-quickgelu,cc12m"] == stated["RN50", "cc12m"]
    assert sum(size is not None for size in sizes.values()) >= 20


def test_the_page_of_an_icon_shows_its_confusions_and_its_names(page_engine: Engine) -> None:
    app = opened("explore", concept="apple")
    assert not app.exception
    assert "Most confused with" in words(app)
    assert "comment bubble 5×" in words(app) or "Predicted in its place" in words(app)
    tables = [frame.value for frame in app.dataframe]
    assert any("icon term" in set(table.get("From", ())) for table in tables)
    assert any("Counted by" in table for table in tables)
