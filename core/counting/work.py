"""One part of a run: a pure function from (part, query) to one result file, named by both.

Any engine may call it, anywhere, as often as it likes: the local processes of ``workers`` and a cluster alike. What
an engine needs: ``part_key`` to know a result without computing it, ``done`` to see whether it is in the store,
``compute`` to make it. Results are added up with ``Tally.merge``, which is associative and commutative. The arguments
are plain values (``Part.as_json``, ``Query.as_json``) when they must travel. The store is a folder that all workers
see; a file in it is whole or absent, so two workers with one part do no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from cache import keys
from core.counting.captions import TextCounter
from core.counting.hits import HitWriter
from core.counting.parts import Part
from core.counting.query import Query
from core.counting.rows import read_rows
from core.counting.tally import Tally
from core.errors import UnreadableData

MEMORY = 1536 << 20
"""Bytes of data that a worker process may hold; a file that needs more is reported as unreadable."""
Beat = Callable[[int], None]
"""Called now and then with the rows read so far."""


def part_key(part: Part, query: Query) -> str:
    """Content key of the result: the file as it is now, the range, and all that decides how it is counted."""
    return keys.digest([part.place.uri, part.place.stamp, part.format, part.start, part.end, query.digest])


def tally_path(store: Path, key: str) -> Path:
    """Where the counts of a part lie."""
    return store / key[:2] / f"{key}.json.gz"


def hits_path(store: Path, key: str) -> Path:
    """Where the single hits of a part lie, for queries that keep them."""
    return store / key[:2] / f"{key}.hits.parquet"


def done(part: Part, query: Query, store: Path) -> bool:
    """Whether the result of a part is in the store (hits are written first, so counts stand for both)."""
    return tally_path(store, part_key(part, query)).exists()


def compute(part: Part, query: Query, store: Path, *, beat: Beat | None = None) -> Path:
    """Count one part and write its result; at once when it is there already.

    Raises:
        UnreadableData: the file is damaged or cannot be read; nothing is written, so that a later run tries again.
        Stopped: ``beat`` raised it.
    """
    key = part_key(part, query)
    target = tally_path(store, key)
    if Tally.read(target) is not None:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    tally = Tally.empty(len(query.concepts), len(query.attributes), len(query.thresholds))
    writer = HitWriter(hits_path(store, key), scored=bool(query.thresholds)) if query.keep else None
    try:
        for rows in (_scores if query.thresholds else _captions)(part, query, tally, writer, seed=int(key[:16], 16)):
            if beat:
                beat(rows)
        if writer:
            writer.close()
    except MemoryError as error:
        raise UnreadableData(
            f"{part.place.name} needs more than {MEMORY >> 20} MiB to be read; write it in smaller rows or row groups."
        ) from error
    finally:
        if writer:
            writer.discard()
    tally.write(target)
    return target


def _captions(part: Part, query: Query, tally: Tally, writer: HitWriter | None, *, seed: int) -> Iterator[int]:
    counter = _counter(query, seed=seed)
    first = 0
    for rows in read_rows(part.place, part.format, query.columns, start=part.start, end=part.end):
        tally.missing += rows.missing
        tally.undecoded += rows.undecoded
        if not rows.captions:
            continue
        caption, concept = counter.count(tally, rows.captions, first=first)
        if writer:
            writer.add(first + caption, concept, ids=rows.ids and [rows.ids[row] for row in caption.tolist()])
        first += len(rows.captions)
        yield first
    if 2 * tally.undecoded > tally.rows:
        raise UnreadableData(
            f"{part.place.name} is not UTF-8 text: {tally.undecoded:,} of {tally.rows:,} captions cannot be decoded "
            "(perhaps Latin-1, Shift JIS or GBK); save it as UTF-8."
        )


class _Counter(Protocol):
    """Adds batches of captions to a tally; gives caption and concept of every hit."""

    def count(self, tally: Tally, captions: Sequence[str | None], *, first: int) -> tuple[np.ndarray, np.ndarray]: ...


def _counter(query: Query, *, seed: int) -> _Counter:
    if query.text == "text":
        return TextCounter(query, seed=seed)
    from core.counting.paper import PaperCounter

    return PaperCounter(query, seed=seed)


def _scores(part: Part, query: Query, tally: Tally, writer: HitWriter | None, *, seed: int) -> Iterator[int]:
    from core.counting.scores import read_scores

    concepts = len(query.concepts)
    for hits in read_scores(part, query):
        tally.rows += hits.rows
        for at, threshold in enumerate(query.thresholds):
            tally.image[at] += np.bincount(hits.concept[hits.score >= threshold], minlength=concepts)
        if writer:
            ids = hits.ids and [hits.ids[row] for row in hits.row.tolist()]
            writer.add(hits.first + hits.row, hits.concept, score=hits.score, ids=ids)
        yield tally.rows
