"""Four kinds of damage over every kind of file that is read back: the same value again, or one sentence; never another.

A process reads each file of the cache anew (what it verified is forgotten), as one does that was just started.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cache import CacheError, files, kept, keys, matrices
from cache.matrices import MatrixStore
from cache.results import Results
from core.counting.tally import Tally
from core.datasets import open_set
from core.deck import store as decks
from core.deck.deck import Deck
from core.errors import TailscopeError
from core.evaluation import imported as answers
from core.frequency import counted
from core.frequency import imported as counts
from core.models import open_clip_table, weights
from core.published import store as release
from core.published.importer import import_release, last_report
from core.strict_json import write_json
from tests import published_release

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: fills an empty cache and returns two such files (of one, the second is any other file).
        read: what is read back, of both.
    """

    make: Callable[[Path], tuple[Path, Path]]
    read: Callable[[Path], Any]


def store() -> MatrixStore:
    return MatrixStore(keys.embeddings())


def make_matrices(suffix: str) -> Callable[[Path], tuple[Path, Path]]:
    def make(_folder: Path) -> tuple[Path, Path]:
        for key in ("one", "two"):
            writer = store().writer(key, shards=1)
            writer.write(0, RNG.standard_normal((50, 16)).astype(np.float32))
            writer.finish({"skipped": [f"{key}.png: it is damaged"] * 9})
            store().put_beside(key, "index", {"cells": RNG.standard_normal((50, 16))}, {"of": key})
        return store().path("one", suffix), store().path("two", suffix)

    return make


def read_matrices(_folder: Path) -> Any:
    opened = {key: store().open(key) for key in ("one", "two")}
    return [None if one is None else [one.tolist(), store().meta(key)] for key, one in opened.items()]


def make_shards(_folder: Path) -> tuple[Path, Path]:
    writer = store().writer("one", shards=2)
    for index in range(2):
        writer.write(index, RNG.standard_normal((50, 16)), {"skipped": []})
    folder = store().path("one", ".shards")
    return folder / "00000-of-00002.npy", folder / "00001-of-00002.npy"


def read_shards(_folder: Path) -> Any:
    writer = store().writer("one", shards=2)
    return [[writer.read(index).tolist(), writer.note(index)] if writer.has(index) else None for index in range(2)]


def read_index(_folder: Path) -> Any:
    found = [store().beside(key, "index") for key in ("one", "two")]
    return [one and [one[0]["cells"].tolist(), one[1]] for one in found]


def make_results(name: str) -> Callable[[Path], tuple[Path, Path]]:
    def make(_folder: Path) -> tuple[Path, Path]:
        results = Results(keys.root() / "results")
        for key in ("one", "two"):
            results.put(key, RNG.bytes(1 << 17))
            results.put_json(f"{key} small", {"value": key})
        results.close()
        found = sorted(results.folder.glob(name))
        return (found[0], found[1]) if len(found) > 1 else (found[0], sorted(results.folder.glob("??/??/*"))[0])

    return make


def read_results(_folder: Path) -> Any:
    results = Results(keys.root() / "results")
    try:
        found = [results.get(key) for key in ("one", "two")]
        digests = [value and hashlib.sha256(value).hexdigest() for value in found]
        return digests + [results.get_json(f"{key} small") for key in ("one", "two")]
    finally:
        results.close()


def make_kept(_folder: Path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        kept.write(kept.place("names", name), {"set": "photos", "names": {str(n): f"{name} {n}" for n in range(99)}})
    return kept.place("names", "one"), kept.place("names", "two")


def read_kept(_folder: Path) -> Any:
    return [kept.read(kept.place("names", name)) for name in ("one", "two")]


def make_deck(folder: Path) -> tuple[Path, Path]:
    decks.save(Deck("A deck of a title that is long enough to be hit by any damage " * 5, ()))
    other = folder / "other.json"
    other.write_bytes(decks.place().read_bytes().replace(b"title", b"other"))
    return decks.place(), other


def read_deck(_folder: Path) -> Any:
    return decks.load().deck.title


def make_imported_counts(folder: Path) -> tuple[Path, Path]:
    for name, factor in (("one", 1), ("two", 7)):
        table = folder / f"{name}.csv"
        table.write_text("concept,count\n" + "".join(f"concept {n},{n * factor}\n" for n in range(500)))
        counts.keep(table, name)
    return counts._path("one"), counts._path("two")


def read_imported_counts(_folder: Path) -> Any:
    return [dict(counts.table(f"imported:{name}", "text").counts) for name in ("one", "two")]


def make_counted(name: str) -> Callable[[Path], tuple[Path, Path]]:
    def make(_folder: Path) -> tuple[Path, Path]:
        for run, factor in (("one", 1), ("two", 7)):
            place = keys.root() / "counted" / run
            place.mkdir(parents=True)
            concepts = [f"concept {n}" for n in range(300)]
            values = [n * factor for n in range(300)]
            columns = {"concept": concepts, "count": values, "status": "ok", "query": concepts}
            columns |= {"text": values, "image": None, "integrated": None}
            pd.DataFrame(columns).to_parquet(place / counted.COUNTS)
            write_json({"mode": "text", "source": f"{run} run", "concepts": 300}, place / counted.PROVENANCE)
            write_json({"homonyms": [], "contained": [{"concept": run}]}, place / counted.REPORT)
            files.write_checksums(place, [counted.COUNTS, counted.PROVENANCE, counted.REPORT])
        root = keys.root() / "counted"
        return root / "one" / name, root / "two" / name

    return make


def read_counted(_folder: Path) -> Any:
    tables = [counted.table(f"counted:{name}", "text") for name in ("one", "two")]
    return [[dict(table.counts), table.source, dict(table.flags)] for table in tables]


def make_release(name: str, other: str) -> Callable[[Path], tuple[Path, Path]]:
    def make(folder: Path) -> tuple[Path, Path]:
        import_release(published_release.write(folder / "release"))
        place = release.current()
        return (place if name != "current.json" else release.folder()) / name, place / other

    return make


def read_release(_folder: Path) -> Any:
    opened = release.open_store()
    tables = [opened.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in release.TABLES]
    return [tables, last_report().as_json()]


def make_joined(folder: Path) -> tuple[Path, Path]:
    places = []
    for name in ("one", "two"):
        (folder / name / "img_emb").mkdir(parents=True)
        (folder / name / "metadata").mkdir()
        np.save(folder / name / "img_emb" / "img_emb_0.npy", RNG.standard_normal((40, 16)).astype(np.float32))
        table = pd.DataFrame({"image_path": [f"{name}/{n}.png" for n in range(40)], "label": ["a", "b"] * 20})
        table.to_parquet(folder / name / "metadata" / "metadata_0.parquet")
        found = open_set(folder / name)
        assert len(found.vectors) == 40
        places.append(keys.root() / "joined" / f"{found.fingerprint}.npy")
    return places[0], places[1]


def read_joined(folder: Path) -> Any:
    return [np.array(open_set(folder / name, fresh=True).vectors).tolist() for name in ("one", "two")]


def make_answers(folder: Path) -> tuple[Path, Path]:
    for name, right in (("one", 0.25), ("two", 0.75)):
        table = folder / f"{name}.json"
        write_json({"RN50": {"full": right, "classwise": {f"class {n}": 100 * right for n in range(99)}}}, table)
        answers.keep(table, name=name, model="RN50,openai", image_set="imagenet")
    return answers._path("one"), answers._path("two")


def read_answers(_folder: Path) -> Any:
    return [[value.accuracy for value in answers.load(name).classes] for name in ("one", "two")]


def make_tallies(folder: Path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        tally = Tally.empty(200)
        tally.text += RNG.integers(0, 99, 200)
        tally.write(folder / "parts" / f"{name}.json.gz")
    return folder / "parts" / "one.json.gz", folder / "parts" / "two.json.gz"


def read_tallies(folder: Path) -> Any:
    found = [Tally.read(folder / "parts" / f"{name}.json.gz") for name in ("one", "two")]
    return [one and one.text.tolist() for one in found]


def make_digests(folder: Path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        (folder / f"{name}.bin").write_bytes(RNG.bytes(999))
        weights.sha256(folder / f"{name}.bin")
    found = sorted((keys.root() / "weights").iterdir())
    return found[0], found[1]


def read_digests(folder: Path) -> Any:
    return [weights.sha256(folder / f"{name}.bin") for name in ("one", "two")]


def make_table(folder: Path) -> tuple[Path, Path]:
    expected = open_clip_table.table()
    pairs = list(expected.pairs.values())[:4]
    known = {"architectures": [], "pairs": [vars_of(pair) for pair in pairs]}
    place = keys.root() / open_clip_table.file_name()
    files.write_bytes(place, keys.sealed(known, name=place.name))
    (folder / "other.json").write_bytes(keys.sealed({"architectures": [], "pairs": []}, name="other.json"))
    return place, folder / "other.json"


def vars_of(pair: Any) -> dict[str, Any]:
    return {name: getattr(pair, name) for name in pair.__dataclass_fields__}


def read_table(_folder: Path) -> Any:
    try:
        return keys.unsealed((keys.root() / open_clip_table.file_name()).read_bytes(), name=open_clip_table.file_name())
    except (OSError, ValueError):
        return None  # and ``table`` asks open_clip itself


KINDS = {
    "matrix": Kind(make_matrices(".npy"), read_matrices),
    "sidecar": Kind(make_matrices(".json"), read_matrices),
    "index": Kind(make_matrices(".index/cells.npy"), read_index),
    "shard": Kind(make_shards, read_shards),
    "results, database": Kind(make_results("cache.db"), read_results),
    "results, value": Kind(make_results("??/??/*.val"), read_results),
    "corrected names": Kind(make_kept, read_kept),
    "deck": Kind(make_deck, read_deck),
    "imported counts": Kind(make_imported_counts, read_imported_counts),
    "counts": Kind(make_counted(counted.COUNTS), read_counted),
    "counts, report": Kind(make_counted(counted.REPORT), read_counted),
    "counts, provenance": Kind(make_counted(counted.PROVENANCE), read_counted),
    "counts, checksums": Kind(make_counted(files.CHECKSUMS), read_counted),
    "release, table": Kind(make_release("counts.parquet", "scores.parquet"), read_release),
    "release, report": Kind(make_release("report.json", "counts.parquet"), read_release),
    "release, pointer": Kind(make_release("current.json", "report.json"), read_release),
    "joined vectors": Kind(make_joined, read_joined),
    "imported answers": Kind(make_answers, read_answers),
    "tally": Kind(make_tallies, read_tallies),
    "digest of weights": Kind(make_digests, read_digests),
    "table of models": Kind(make_table, read_table),
}


def flip(one: Path, _other: Path, at: float) -> None:
    data = bytearray(one.read_bytes())
    first = int(at * max(0, len(data) - 64))
    for place in range(first, min(first + 64, len(data))):
        data[place] ^= 1  # stays text where it was text, so that parsers notice nothing
    one.write_bytes(data)


def truncate(one: Path, _other: Path, at: float) -> None:
    one.write_bytes(one.read_bytes()[: int(at * one.stat().st_size)])


def empty(one: Path, _other: Path, _at: float) -> None:
    one.write_bytes(b"")


def swap(one: Path, other: Path, _at: float) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


DAMAGE = [
    *((flip, at) for at in (0.0, 0.2, 0.5, 0.8, 1.0)),
    *((truncate, at) for at in (0.3, 0.95)),
    (empty, 0.0),
    (swap, 0.0),
]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """What a new process does not know."""

    def clear() -> None:
        for known in (files._sealed, files._compared, matrices._verified):
            known.clear()
        for remembered in (counts._read, counted._read, release._open):
            remembered.cache_clear()

    yield clear
    clear()


def read_back(kind: Kind, folder: Path) -> Any:
    """The value, or "refused" for a sentence; any other exception fails the test."""
    try:
        return kind.read(folder)
    except (TailscopeError, CacheError) as error:
        return "refused" if "\n" not in str(error) else str(error)


def same_or_absent(found: Any, expected: Any) -> bool:
    """Whether each part is what it was, or is not there and is made again."""
    if found in ("refused", None, expected):
        return True
    if not isinstance(found, list) or not isinstance(expected, list):
        return False
    return all(part is None or part in expected for part in found) and (
        len(found) < len(expected) or all(a is None or a == b for a, b in zip(found, expected, strict=True))
    )


@pytest.mark.parametrize("name", KINDS)
def test_nothing_that_is_read_back_differs_in_silence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: Callable[[], None]
) -> None:
    kind = KINDS[name]
    cache, folder = tmp_path / "cache", tmp_path / "files"
    folder.mkdir()
    cache.mkdir()
    monkeypatch.setenv("TAILSCOPE_CACHE", str(cache))
    one, other = kind.make(folder)
    forget()
    expected = kind.read(folder)
    assert same_or_absent(expected, expected)
    for saved in (cache, folder):
        shutil.copytree(saved, saved.with_suffix(".saved"))
    for damage, at in DAMAGE:
        damage(one, other, at)
        forget()
        found = read_back(kind, folder)
        assert same_or_absent(found, expected), (damage.__name__, at)
        for place in (cache, folder):
            shutil.rmtree(place)
            shutil.copytree(place.with_suffix(".saved"), place)
