"""Published counts as frequency sources: ``published:PRETRAINING/METHOD``, a provider of ``core.frequency.sources``.

A source is one count column of the release over all its downstream data sets. Its own column is the one its name says;
the text, image and integrated columns beside it are those of the headline thresholds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from cache import keys
from core.errors import UnreadableData
from core.frequency.table import Records, SourceInfo
from core.published import kinds
from core.published.anomalies import TRUNCATED_BELOW
from core.published.flags import COLUMNS, counts_of, flags
from core.published.manifest import CITATION
from core.published.names import METHODS, MORE_SETS, PRETRAINING, ZERO_SHOT_SETS, kind_of_method
from core.published.store import Store, open_store
from core.types import METHODS as KINDS
from core.types import FrequencyTable

PREFIX = "published:"


def infos() -> list[SourceInfo]:
    """One source for each count column of the release; none while it is damaged."""
    try:
        return _infos(open_store())
    except UnreadableData:
        return []


def problem() -> str:
    """Why there are no published sources, in one sentence; empty if there are."""
    try:
        _infos(open_store())
    except UnreadableData as error:
        return str(error)
    return ""


@lru_cache(maxsize=2)
def _infos(opened: Store) -> list[SourceInfo]:
    found = opened.rows(
        "SELECT pretraining, method, count(DISTINCT concept) FROM counts JOIN units USING (unit) "
        "WHERE concept <> '' GROUP BY ALL"
    )
    sizes = {(pretraining, method): n for pretraining, method, n in found}
    return [
        SourceInfo(
            f"{PREFIX}{pretraining}/{method}",
            _origin(pretraining, method),
            _kinds(sizes, pretraining, method),
            n,
            kind_of_method(method),
            digest=keys.digest([opened.place.name, pretraining, method]),
        )
        for pretraining in PRETRAINING
        for method in METHODS
        if (n := sizes.get((pretraining, method)))
    ]


@dataclass(frozen=True, slots=True)
class Steps:
    """What a source's name says, in three steps with plain labels.

    Attributes:
        name: the source; pretraining, pretraining_label: the set that was counted, as released and in words.
        how, how_label: ``text``, ``image`` or ``integrated``, and in words; threshold: of the image tagger, None for
            text; lemmatised: whether words were searched in any form (text and integrated).
        concepts: concepts counted, of ``expected`` that the classification sets name.
        truncated: less than 95 % of those were counted, or a file was cut short: never chosen by itself.
    """

    name: str
    pretraining: str
    pretraining_label: str
    how: str
    how_label: str
    threshold: float | None
    lemmatised: bool
    concepts: int
    expected: int
    truncated: bool


_HOW = {"text": "in captions (text)", "image": "in images (RAM++ tags)", "integrated": "in captions and images at once"}


def steps() -> list[Steps]:
    """The three steps of every published source: pretraining set, how counted, threshold."""
    return _steps(open_store())


@lru_cache(maxsize=2)
def _steps(opened: Store) -> list[Steps]:
    sets = ", ".join(f"'{name}'" for name in ZERO_SHOT_SETS)
    listed = "SELECT pretraining, method, concept FROM counts JOIN units USING (unit) WHERE dataset IN"
    found = opened.rows(f"SELECT pretraining, method, count(DISTINCT concept) FROM ({listed} ({sets})) GROUP BY ALL")
    known = {(pretraining, method): n for pretraining, method, n in found}
    expected = opened.rows(f"SELECT count(DISTINCT concept) FROM ({listed} ({sets}))")[0][0]
    cut = set(opened.rows("SELECT DISTINCT pretraining, method FROM files WHERE truncated"))
    result = []
    for info in _infos(opened):
        pretraining, method = _split(info.name)
        n, how = known.get((pretraining, method), 0), kind_of_method(method)
        digits = re.search(r"0\.\d+", method)
        result.append(
            Steps(
                info.name, pretraining, PRETRAINING[pretraining], how, _HOW[how],
                float(digits[0]) if digits else None, how != "image" and method != "lowercased", n, expected,
                (pretraining, method) in cut or n < TRUNCATED_BELOW * expected,
            )
        )  # fmt: skip
    return result


def _kinds(sizes: dict[tuple[str, str], int], pretraining: str, method: str) -> tuple[str, ...]:
    """Kinds of count that can be read, the source's own first."""
    own = kind_of_method(method)
    return (own, *(kind for kind in KINDS if kind != own and (pretraining, COLUMNS[kind]) in sizes))


def _origin(pretraining: str, method: str) -> str:
    return f"{PRETRAINING[pretraining]} counted by {METHODS[method]}; {CITATION}"


def table(name: str, method: str) -> FrequencyTable:
    """The counts of one source; ``method`` is the kind of count, the source's own column for its own kind."""
    pretraining, own = _split(name)
    column = own if kind_of_method(own) == method else COLUMNS[method]
    counts = counts_of(open_store(), pretraining)[column]
    return FrequencyTable(name, _origin(pretraining, column), method, counts, {}, flags(pretraining))


def records(name: str) -> Records:
    """All concepts with their text, image and integrated counts; None is unknown."""
    pretraining, own = _split(name)
    by_column = counts_of(open_store(), pretraining)
    columns = {kind: by_column.get(own if kind_of_method(own) == kind else COLUMNS[kind], {}) for kind in KINDS}
    concepts = dict.fromkeys(key for column in columns.values() for key in column)
    return {key: {kind: column.get(key) for kind, column in columns.items()} for key in concepts}


def families(name: str) -> dict[str, str]:
    """Concept -> what kind of thing it is (``core.published.kinds``), for the concepts of which that is known."""
    return _families(open_store(), *_split(name))


@lru_cache(maxsize=8)
def _families(opened: Store, pretraining: str, method: str) -> dict[str, str]:
    order = {dataset: rank for rank, dataset in enumerate((*ZERO_SHOT_SETS, *MORE_SETS))}
    found = opened.rows(
        "SELECT concept, dataset FROM counts JOIN units USING (unit) WHERE pretraining = ? AND method = ?",
        [pretraining, method],
    )
    result: dict[str, str] = {}
    for concept, dataset in sorted(found, key=lambda row: order.get(row[1], len(order))):
        if concept and concept not in result and (kind := kinds.kind(concept, dataset)):
            result[concept] = kind
    return result


def _split(name: str) -> tuple[str, str]:
    pretraining, _, method = name.removeprefix(PREFIX).partition("/")
    return pretraining, method
