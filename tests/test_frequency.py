"""Count tables: the committed ones are the exact ones, and classes meet counts only where they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.datasets.names import imagenet_classes
from core.errors import BadInput, UnknownName
from core.frequency import icons, published, sources
from core.frequency import letitwag as letitwag_counts
from core.frequency.table import SourceInfo, join, match
from core.icons import counts
from core.icons.corpus import CORPORA, count
from core.published import letitwag
from core.types import METHODS, FrequencyTable
from tests.shipped_release import load


def committed(name: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(row[method] for method in METHODS) for key, row in sources.records(name).items()}


def test_smallest_corpus_is_counted_exactly():
    assert committed("icons-10k") == count("icons-10k")


@pytest.mark.parametrize("name", CORPORA)
def test_counts_add_up(name):
    counts = committed(name).values()
    assert sum(image for _, image, _ in counts) == CORPORA[name].pairs
    assert all(0 <= both <= min(text, image) for text, image, both in counts)


def test_largest_corpus_is_a_steep_zipf():
    images = sorted((image for _, image, _ in committed("icons-200k").values()), reverse=True)
    assert images[0] > 10_000
    assert 1 <= images[-1] <= 3


def test_list_and_load():
    listed = {found.name: found for found in sources.list_sources()}
    assert set(CORPORA) <= set(listed)
    table = sources.load_source("icons-10k", "text")
    assert (table.name, table.method, len(table.counts)) == ("icons-10k", "text", listed["icons-10k"].concepts)
    record = sources.records("icons-10k")["address-card"]
    assert sources.load_source("icons-10k").counts["address-card"] == record["image"]
    assert table.counts["address-card"] == record["text"]
    assert "10,000" in sources.info("icons-10k").source
    assert table.queries["address-card"] == "address card"
    assert icons.families("icons-10k").keys() == table.counts.keys()


def test_unknown_names_and_methods():
    with pytest.raises(UnknownName, match="icons-200k"):
        sources.load_source("icon-200k")
    with pytest.raises(BadInput, match="text, image, integrated"):
        sources.load_source("icons-10k", "smell")


def test_a_provider_plugs_in(monkeypatch):
    class Own:
        def infos(self):
            return [SourceInfo("counted:mine", "my captions", ("text",), 1, digest="1")]

        def table(self, name, method):
            return FrequencyTable(name, "my captions", method, {"frog": 4})

        def records(self, name):
            return {"frog": {"text": 4, "image": None, "integrated": None}}

        def families(self, name):
            return {}

    monkeypatch.setattr(sources, "PROVIDERS", [*sources.PROVIDERS, Own()])
    assert sources.load_source("counted:mine", "text").counts == {"frog": 4}
    assert sources.records("counted:mine")["frog"]["image"] is None
    with pytest.raises(BadInput, match="choose one of text"):
        sources.load_source("counted:mine")


def test_join_by_key_then_name_and_by_case_only_where_no_count_depends_on_it():
    table = FrequencyTable(
        "t", "", "image", {"tree frog": 3, "Shih Tzu": 1237, "shih tzu": 954874, "bat_mask": 0, "kite": 5}
    )
    keys = ["tree_frog", "Shih_Tzu", "SHIH TZU", "n07", "n08", "yeti"]
    names = ["x", "y", "SHIH TZU", "bat mask", "Kite", "yeti"]
    assert join(table, keys, names) == {"tree_frog": 3, "Shih_Tzu": 1237, "n07": 0, "n08": 5}
    assert join(table, ["kite"]) == {"kite": 5}
    assert join(table, keys, names, literal=True) == {}
    found = match(table, keys, names)
    assert found.steps == {"tree_frog": "key", "Shih_Tzu": "key", "n07": "name", "n08": "folded spelling"}
    assert found.unmatched == ("SHIH TZU", "yeti")
    assert set(found.suggestions()["SHIH TZU"]) == {"Shih Tzu", "shih tzu"}
    assert found.suggestions()["yeti"] == ()
    assert found.sentence == "4 of 6 classes matched, 1 of them by case or punctuation folded."


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("T-Shirt", "t shirt"), ("potter's wheel", "Potters Wheel"), ("black\u2011footed", "black-footed"),
        ("ICE_CREAM", "ice cream"), ("Boeing 747\u2013400", "Boeing 747-400"), ("St. Bernard", "st bernard"),
    ],
)  # fmt: skip
def test_folded_spellings_meet(name: str, concept: str):
    found = match(FrequencyTable("t", "", "image", {concept: 7, "other": 1}), [name])
    assert (found.counts, found.steps) == ({name: 7}, {name: "folded spelling"})


def test_imagenet_classes_meet_counts_by_wnid_or_by_name_whichever_the_table_has():
    wnids, names = zip(*imagenet_classes(), strict=True)
    by_wnid = FrequencyTable("w", "", "text", {wnid: index for index, wnid in enumerate(wnids)})
    for keys, called in ((wnids, names), (wnids, wnids), ([str(i) for i in range(1000)], names)):
        assert list(join(by_wnid, keys, called).values()) == list(range(1000))
    assert join(by_wnid, ["tench", "projectile", "vine snake"]) == {"tench": 0, "projectile": 744, "vine snake": 59}


def test_two_classes_of_one_name_keep_their_own_counts():
    wnids, names = zip(*imagenet_classes(), strict=True)
    counts = load(Path("search_counts/imagenet_laion400m_rampp0.7_search_counts.json"))
    released = list(counts)  # in the order of the classes
    table = sources.load_source("published:laion400m/rampp0.7")
    for keys in (wnids, [str(index) for index in range(1000)]):
        found = match(table, keys, names)
        assert list(found.spelled.values()) == released
        assert list(found.counts.values()) == list(counts.values())
    assert (names[657], names[744]) == ("missile", "missile")
    assert found.counts["744"] == 69_763
    assert (found.counts["836"], found.counts["837"]) == (3_575_274, 3_889_821)
    assert join(table, wnids, names, literal=True) == join(table, wnids, names)


def test_every_let_it_wag_concept_meets_its_counts():
    concepts = letitwag.concepts()
    for column in letitwag.COLUMNS:
        pretraining, kind = column.split("/")
        name = {"laion200m": "laion200m_train_test_sim_normalized"}.get(pretraining, pretraining)
        table = sources.load_source(f"published:{name}/rampp0.7", kind)
        assert join(table, [one.key for one in concepts]) == {one.key: one.counts[column] for one in concepts}


def test_written_counts_are_the_committed_files(tmp_path, monkeypatch):
    monkeypatch.setattr(counts, "CORPORA", {"icons-10k": CORPORA["icons-10k"]})
    counts.write_counts(tmp_path)
    assert (tmp_path / "icons-10k.csv").read_bytes() == (counts.COUNTS / "icons-10k.csv").read_bytes()


@pytest.mark.parametrize(
    ("concept", "kind"),
    [
        ("tench", "fish"), ("vine snake", "snake"), ("Affenpinscher", "dog"), ("orangutan", "primate"),
        ("tabby cat", "cat"), ("monarch butterfly", "insect or arachnid"), ("guacamole", "food"), ("missile", "object"),
        ("volcano", "scene"), ("bolete", "fungus"), ("A310", "aircraft"), ("Acadian_Flycatcher", "bird"),
        ("Handstand_Walking", "action"), ("stratified", "texture"),
    ],
)  # fmt: skip
def test_a_family_is_what_a_concept_is_and_not_a_data_set(concept: str, kind: str):
    assert published.families("published:laion400m/rampp0.7")[concept] == kind


def test_families_reach_classes_given_as_wnids():
    wnids, names = zip(*imagenet_classes(), strict=True)
    found = sources.families_of("published:cc3m/rampp0.7", wnids, names)
    assert len(found) == 1000
    assert {found[wnid] for wnid in wnids[151:269]} == {"dog"}
    assert not set(found.values()) & {"imagenet", "birdsnap", "cub", "imagenet-sketch"}
    assert sources.families_of("icons-200k", ["nothing"]) == {}


def test_let_it_wag_counts_are_sources():
    table = sources.load_source("letitwag:laion400m", "image")
    assert (len(table.counts), table.counts["Bank_Swallow"]) == (290, 8_864)
    assert sources.records("letitwag:laion200m")["eel"]["text"] is None
    assert letitwag_counts.families("letitwag:cc3m")["Affenpinscher"] == "dog"
    assert [info.name for info in sources.list_sources() if info.name.startswith("letitwag:")] == [
        f"letitwag:{name}" for name in ("cc3m", "cc12m", "yfcc15m", "laion400m", "synthci30m", "laion200m")
    ]
