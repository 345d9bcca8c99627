"""What a run leaves behind: counts as CSV, Parquet and the paper's JSON, the report of the pass, and its provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import keys
from cache.files import CHECKSUMS, atomic_write, write_bytes, write_checksums
from core.counting import summary
from core.counting.hits import Joined
from core.counting.parts import Part, Plan
from core.counting.query import Query
from core.counting.tally import Tally
from core.frequency.counted import COUNTS, PROVENANCE, REPORT
from core.stats.intervals import wilson
from core.strict_json import write_json
from core.text.folding import is_unspaced
from core.text.matcher import shown
from core.text.tables import csv_text
from core.types import LeftOut
from core.versions import version

if TYPE_CHECKING:
    from core.counting.clip import ClipScores
    from core.counting.request import Request
    from core.counting.scores import Layout

UNMATCHABLE, SUBSTRING = "unmatchable", "substring"
_LISTED = 200


@dataclass(frozen=True, eq=False)
class TextCounts:
    """Concepts counted in captions.

    Attributes:
        plan: what was read; query: what was searched; tally: the sum over all parts.
        rows: rows of every part, None for one that cannot be read.
    """

    plan: Plan
    query: Query
    tally: Tally
    rows: Sequence[int | None]

    def of(self, at: int) -> tuple[int | None, str]:
        """Count of a concept (None where it cannot be searched) and the query as published."""
        if self.query.text == "text-paper":
            return self._paper[at]
        terms = self.query.terms[at]
        return (int(self.tally.text[at]) if terms else None), shown(terms, window=self.query.window)

    def status(self, at: int) -> str:
        """How a concept was found: ``substring`` where words cannot be told apart."""
        by_text = self.query.text == "text"
        return SUBSTRING if by_text and any(map(is_unspaced, self.query.terms[at])) else "ok"

    @cached_property
    def _paper(self) -> list[tuple[int, str]]:
        from core.counting.paper import resolve

        return resolve(self.query, self.tally)


@dataclass(frozen=True, eq=False)
class ScoreFiles:
    """Where the scores of images were read: parts, their layout, and rows as in ``TextCounts``."""

    parts: Sequence[Part]
    layout: Layout
    rows: Sequence[int | None]


@dataclass(frozen=True, eq=False)
class ImageCounts:
    """Concepts counted in pictures: scores that reach the thresholds, from files or by a CLIP model."""

    query: Query
    tally: Tally
    scores: ScoreFiles | ClipScores

    @property
    def files(self) -> ScoreFiles | None:
        return self.scores if isinstance(self.scores, ScoreFiles) else None

    @property
    def clip(self) -> ClipScores | None:
        return None if isinstance(self.scores, ScoreFiles) else self.scores

    def of(self, at: int) -> tuple[int | None, str]:
        """Count of a concept at the first threshold (None where it has no scores) and what was counted."""
        if self.files and at in self.files.layout.unknown:
            return None, ""
        what = f"CLIP cosine ({self.clip.model})" if self.clip else "score"
        return int(self.tally.image[0, at]), f"{what} >= {self.query.thresholds[0]:g}"


@dataclass(frozen=True, eq=False)
class JoinedCounts:
    """Concepts counted in captions and in their pictures, and what rows are joined by."""

    text: TextCounts
    image: ImageCounts
    found: Joined
    joined_by: str


@dataclass(frozen=True, eq=False)
class Result:
    """All that a run found.

    Attributes:
        name: of the frequency source, empty for none; thresholds: rising scores of the request.
        left_out: what could not be used; resumed: parts that an earlier run had counted.
    """

    request: Request
    name: str
    thresholds: tuple[float, ...]
    found: TextCounts | ImageCounts | JoinedCounts
    left_out: Sequence[LeftOut]
    resumed: int
    seconds: float

    @property
    def text(self) -> TextCounts | None:
        """What was counted in captions, None for images only."""
        if isinstance(self.found, JoinedCounts):
            return self.found.text
        return self.found if isinstance(self.found, TextCounts) else None

    @property
    def image(self) -> ImageCounts | None:
        """What was counted in pictures, None for captions only."""
        if isinstance(self.found, JoinedCounts):
            return self.found.image
        return self.found if isinstance(self.found, ImageCounts) else None

    @property
    def joined(self) -> JoinedCounts | None:
        """What was counted in captions and their pictures at once, None for one of them."""
        return self.found if isinstance(self.found, JoinedCounts) else None

    def counts(self) -> list[dict[str, Any]]:
        """One row a concept: ``concept, count, status, query`` and ``text, image, integrated`` (None = unknown)."""
        rows = []
        for at, key in enumerate(self.request.names):
            row: dict[str, Any] = {"concept": key, "count": None, "status": UNMATCHABLE, "query": ""}
            row |= {"text": None, "image": None, "integrated": None}
            asked = []
            if self.text:
                row["text"], searched = self.text.of(at)
                asked.append(searched)
            if self.image:
                row["image"], searched = self.image.of(at)
                asked.append(searched)
            if self.joined and None not in (row["text"], row["image"]):
                row["integrated"] = int(self.joined.found.both[0, at])
            row["query"] = " and ".join(filter(None, asked))
            row["count"] = row["text" if self.request.mode == "text-paper" else self.request.mode]
            row["status"] = UNMATCHABLE if row["count"] is None else self.text.status(at) if self.text else "ok"
            rows.append(row)
        return rows


def write(result: Result, out: Path) -> None:
    """Write every file of a finished run to ``out``; provenance last, so that it stands for all."""
    rows = result.counts()
    (out / CHECKSUMS).unlink(missing_ok=True)  # those of an earlier run
    _table(out / COUNTS, {name: [row[name] for row in rows] for name in rows[0]} | _more_thresholds(result))
    header = ("concept", "count", "status", "query")
    write_bytes(out / "counts.csv", csv_text(header, ([row[name] for name in header] for row in rows)).encode())
    tokens = {"text": "phrase", "text-paper": "lemmatized", "image": "image", "integrated": "integrated_tphrase_i"}
    token = tokens[result.request.mode]
    for at, threshold in enumerate(result.thresholds if result.image else (None,)):
        counts = {
            row["concept"]: _at(result, row, at, place) for place, row in enumerate(rows) if row["count"] is not None
        }
        label = token if threshold is None else f"{token}{threshold:g}"
        write_json(counts, out / f"{result.name or 'own'}_{label}_search_counts.json")
    if result.text:
        query, tally = result.text.query, result.text.tally
        _table(out / "cooccurrence.parquet", summary.cooccurrence(query, tally))
        _table(out / "pairs.parquet", summary.pairs(query, tally))
        write_json(summary.examples(query, tally), out / "examples.json")
    write_json(about(result), out / REPORT)
    write_json(provenance(result), out / PROVENANCE)
    write_checksums(out, {COUNTS, REPORT, PROVENANCE} | ({"examples.json"} if result.text else set()))


def _at(result: Result, row: Mapping[str, Any], at: int, place: int) -> int:
    if result.joined:
        return int(result.joined.found.both[at, place])
    return int(result.image.tally.image[at, place]) if result.image else row["count"]


def _more_thresholds(result: Result) -> dict[str, list[int]]:
    """Counts at thresholds after the first, as further columns."""
    more: dict[str, list[int]] = {}
    image = result.image
    if image is None:
        return more
    for at, threshold in list(enumerate(result.thresholds))[1:]:
        more[f"image@{threshold:g}"] = image.tally.image[at].tolist()
        if result.joined:
            more[f"integrated@{threshold:g}"] = result.joined.found.both[at].tolist()
    return more


def about(result: Result) -> dict[str, Any]:
    """What the pass found besides counts: ambiguity, crowding, rank–frequency."""
    counts = sorted((row["count"] for row in result.counts() if row["count"] is not None), reverse=True)
    found: dict[str, Any] = {
        "rank_frequency": counts,
        "zero": sum(not count for count in counts),
        "unmatchable": [row["concept"] for row in result.counts() if row["count"] is None],
    }
    if result.joined:
        found["misalignment"] = _misalignment(result.joined, result.thresholds)
    if result.text:
        query, tally = result.text.query, result.text.tally
        found["captions"] = summary.crowding(tally)
        if query.text == "text":
            found["homonyms"] = summary.homonyms(query)
            found["contained"] = summary.inside_others(query, tally)
            found["pairs_exact"] = tally.together.exact and tally.described.exact
    return found


def _misalignment(found: JoinedCounts, thresholds: Sequence[float]) -> dict[str, Any]:
    """Share of samples whose caption and image share no concept, over the denominators of arXiv 2404.04125.

    ``extracted`` is the larger of the samples with a concept in the caption and with one in the image; ``samples`` are
    all captions read; ``on_both`` those with a concept on both sides.
    """
    text, joined = found.text, found.found
    names, samples = text.query.concepts, text.tally.rows
    rows = []
    for at, threshold in enumerate(thresholds):
        misaligned, on_both = int(joined.misaligned[at]), int(joined.on_both[at])
        totals = {"extracted": max(joined.captions, int(joined.images[at])), "samples": samples, "on_both": on_both}
        rows.append(
            {"threshold": threshold, "misaligned": misaligned, **totals}
            | {f"share_of_{name}": asdict(wilson(misaligned, total)) for name, total in totals.items()}
        )
    examples = [
        {"id": id, "caption": [names[at] for at in named], "image": [names[at] for at in shown]}
        for id, named, shown in joined.examples
    ]
    return {"thresholds": rows, "examples": examples}


def provenance(result: Result) -> dict[str, Any]:
    """Where the counts come from: everything needed to repeat them, and what could not be used."""
    request, text, image = result.request, result.text, result.image
    first = result.found.text if isinstance(result.found, JoinedCounts) else result.found
    tally, query, plan = first.tally, first.query, text and text.plan
    paper, files, clip = request.mode == "text-paper", image and image.files, image and image.clip
    packages = ("regex", "pyarrow", *(["spacy"] if paper else []))
    parts = plan.parts if plan else files.parts if files else ()
    stamps = [[part.place.uri, part.place.stamp] for part in parts]
    return {
        "name": result.name,
        "mode": request.mode,
        "source": sentence(result),
        "captions": request.captions,
        "files": plan.files if plan else len({uri for uri, _ in stamps}),
        "inputs": list(dict.fromkeys(uri for uri, _ in stamps))[:_LISTED],
        "input_digest": keys.digest(stamps),
        "column": plan.columns.caption if plan else None,
        "id_column": (plan.columns.id or "number of the row") if plan and request.mode == "integrated" else None,
        "note": plan.note if plan else "",
        "concepts": len(request.names),
        "attributes": list(query.attributes),
        "synonyms": sum(map(len, request.synonyms.values())),
        "window": request.window or None,
        "tagger": query.tagger if paper else None,
        "speller": query.speller if paper else None,
        "scores": request.scores or None,
        "thresholds": list(result.thresholds) if image else None,
        "clip": {"model": clip.model, "prompts": clip.prompts} if clip else None,
        "joined_by": result.joined.joined_by if result.joined else None,
        "rows": tally.rows,
        "bad_rows": tally.bad,
        "undecoded_rows": tally.undecoded,
        "missing_rows": tally.missing,
        "image_rows": image.tally.rows if image else None,
        "left_out": [{"item": item.item, "reason": item.reason} for item in result.left_out[:_LISTED]],
        "left_out_count": len(result.left_out),
        "parts": len(text.rows if text else ()) + len(files.rows if files else ()),
        "parts_from_earlier_runs": result.resumed,
        "seconds": round(result.seconds, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in packages},
        "query_digest": query.digest,
    }


def sentence(result: Result) -> str:
    """The origin of the counts in one sentence."""
    request, found = result.request, result.found
    if isinstance(found, ImageCounts):
        how = f"scored by {found.clip.model}" if found.clip else "by the scores given"
        return f"{found.tally.rows:,} samples {how}, counted here (image mode, threshold {result.thresholds[0]:g})."
    text = found.text if isinstance(found, JoinedCounts) else found
    where = request.captions.rstrip("/").rpartition("/")[2] or request.captions
    return f"{text.tally.rows:,} captions of {where}, counted here ({request.mode} mode)."


def _table(path: Path, columns: Mapping[str, Sequence[Any] | np.ndarray]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: _typed(name, values) for name, values in columns.items()})
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def _typed(name: str, values: Sequence[Any] | np.ndarray) -> Any:
    import pyarrow as pa

    if isinstance(values, np.ndarray):
        return pa.array(values, from_pandas=True)  # NaN as null
    text = ("concept", "attribute", "a", "b", "status", "query")
    return pa.array(values, pa.string() if name in text else pa.bool_() if name == "contained" else pa.int64())
