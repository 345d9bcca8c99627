"""What a run leaves behind: counts as CSV, Parquet and the paper's JSON, the report of the pass, and its provenance."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import keys
from cache.files import atomic_write, write_bytes
from core.counting import summary
from core.counting.parts import Part, Plan
from core.counting.query import Query
from core.counting.tally import Tally
from core.frequency.counted import COUNTS, PROVENANCE, REPORT
from core.strict_json import write_json
from core.text.folding import is_unspaced
from core.text.matcher import shown
from core.types import LeftOut
from core.versions import version

if TYPE_CHECKING:
    from core.counting.clip import ClipScores
    from core.counting.request import Request
    from core.counting.scores import Layout

UNMATCHABLE, SUBSTRING = "unmatchable", "substring"
_LISTED = 200


@dataclass
class Result:
    """All that was found; filled step by step by ``run.count``."""

    request: Request
    name: str
    thresholds: tuple[float, ...]
    left_out: list[LeftOut]
    plan: Plan | None = None
    query: Query | None = None
    text: Tally | None = None
    text_rows: list[int | None] = field(default_factory=list)
    image_query: Query | None = None
    image_parts: Sequence[Part] = ()
    image: Tally | None = None
    image_rows: list[int | None] = field(default_factory=list)
    layout: Layout | None = None
    clip: ClipScores | None = None
    both: np.ndarray | None = None
    joined_by: str = ""
    resumed: int = 0
    seconds: float = 0.0

    def counts(self) -> list[dict[str, Any]]:
        """One row a concept: ``concept, count, status, query`` and ``text, image, integrated`` (None = unknown)."""
        rows = []
        for at, key in enumerate(self.request.names):
            row: dict[str, Any] = {"concept": key, "count": None, "status": UNMATCHABLE, "query": ""}
            row |= {"text": None, "image": None, "integrated": None}
            asked = []
            if self.text is not None:
                row["text"], said = self._text(at)
                asked.append(said)
            if self.image is not None:
                row["image"], said = self._image(at)
                asked.append(said)
            if self.both is not None and None not in (row["text"], row["image"]):
                row["integrated"] = int(self.both[0, at])
            row["query"] = " and ".join(filter(None, asked))
            row["count"] = row["text" if self.request.mode == "text-paper" else self.request.mode]
            row["status"] = UNMATCHABLE if row["count"] is None else self._status(at)
            rows.append(row)
        return rows

    def _status(self, at: int) -> str:
        """How a concept was found: ``substring`` where words cannot be told apart."""
        by_text = self.query is not None and self.query.text == "text"
        return SUBSTRING if by_text and any(map(is_unspaced, self.query.terms[at])) else "ok"

    def _text(self, at: int) -> tuple[int | None, str]:
        if self.query.text == "text-paper":
            return self._paper()[at]
        terms = self.query.terms[at]
        return (int(self.text.text[at]) if terms else None), shown(terms, window=self.query.window)

    def _paper(self) -> list[tuple[int, str]]:
        if not hasattr(self, "_resolved"):
            from core.counting.paper import resolve

            self._resolved = resolve(self.query, self.text)
        return self._resolved

    def _image(self, at: int) -> tuple[int | None, str]:
        if self.layout is not None and at in self.layout.unknown:
            return None, ""
        what = f"CLIP cosine ({self.clip.model})" if self.clip else "score"
        return int(self.image.image[0, at]), f"{what} >= {self.thresholds[0]:g}"


def write(result: Result, out: Path) -> None:
    """Write every file of a finished run to ``out``; provenance last, so that it stands for all."""
    rows = result.counts()
    _table(out / COUNTS, {name: [row[name] for row in rows] for name in rows[0]} | _more_thresholds(result))
    write_bytes(out / "counts.csv", _csv(("concept", "count", "status", "query"), rows))
    tokens = {"text": "phrase", "text-paper": "lemmatized", "image": "image", "integrated": "integrated_tphrase_i"}
    token = tokens[result.request.mode]
    for at, threshold in enumerate(result.thresholds if result.image is not None else (None,)):
        counts = {
            row["concept"]: _at(result, row, at, place) for place, row in enumerate(rows) if row["count"] is not None
        }
        label = token if threshold is None else f"{token}{threshold:g}"
        write_json(counts, out / f"{result.name or 'own'}_{label}_search_counts.json")
    if result.text is not None:
        query, tally = result.query, result.text
        _table(out / "cooccurrence.parquet", summary.cooccurrence(query, tally))
        _table(out / "pairs.parquet", summary.pairs(query, tally))
        write_json(summary.examples(query, tally), out / "examples.json")
    write_json(about(result), out / REPORT)
    write_json(provenance(result), out / PROVENANCE)


def _at(result: Result, row: Mapping[str, Any], at: int, place: int) -> int:
    if result.both is not None:
        return int(result.both[at, place])
    return int(result.image.image[at, place]) if result.image is not None else row["count"]


def _more_thresholds(result: Result) -> dict[str, list[int]]:
    """Counts at thresholds after the first, as further columns."""
    more: dict[str, list[int]] = {}
    for at, threshold in list(enumerate(result.thresholds))[1:] if result.image is not None else ():
        more[f"image@{threshold:g}"] = result.image.image[at].tolist()
        if result.both is not None:
            more[f"integrated@{threshold:g}"] = result.both[at].tolist()
    return more


def about(result: Result) -> dict[str, Any]:
    """What the pass found besides counts: ambiguity, crowding, rank–frequency."""
    counts = sorted((row["count"] for row in result.counts() if row["count"] is not None), reverse=True)
    found: dict[str, Any] = {
        "rank_frequency": counts,
        "zero": sum(not count for count in counts),
        "unmatchable": [row["concept"] for row in result.counts() if row["count"] is None],
    }
    if result.text is not None:
        found["captions"] = summary.crowding(result.text)
        if result.query.text == "text":
            found["homonyms"] = summary.homonyms(result.query)
            found["contained"] = summary.inside_others(result.query, result.text)
            found["pairs_exact"] = result.text.together.exact and result.text.described.exact
    return found


def provenance(result: Result) -> dict[str, Any]:
    """Where the counts come from: everything needed to repeat them, and what could not be used."""
    request, tally = result.request, result.text or result.image
    plan, paper = result.plan, request.mode == "text-paper"
    packages = ("regex", "pyarrow", *(["spacy"] if paper else []))
    stamps = [[part.place.uri, part.place.stamp] for part in (plan.parts if plan else result.image_parts)]
    return {
        "name": result.name,
        "mode": request.mode,
        "source": sentence(result),
        "captions": request.captions,
        "files": plan.files if plan else len({part.place.uri for part in result.image_parts}),
        "inputs": list(dict.fromkeys(uri for uri, _ in stamps))[:_LISTED],
        "input_digest": keys.digest(stamps),
        "column": plan.columns.caption if plan else None,
        "id_column": (plan.columns.id or "number of the row") if plan and request.mode == "integrated" else None,
        "note": plan.note if plan else "",
        "concepts": len(request.names),
        "attributes": list(result.query.attributes) if result.query else [],
        "synonyms": sum(map(len, request.synonyms.values())),
        "window": request.window or None,
        "tagger": result.query.tagger if paper else None,
        "speller": result.query.speller if paper else None,
        "scores": request.scores or None,
        "thresholds": list(result.thresholds) if result.image is not None else None,
        "clip": {"model": result.clip.model, "prompts": result.clip.prompts} if result.clip else None,
        "joined_by": result.joined_by or None,
        "rows": tally.rows,
        "bad_rows": tally.bad,
        "undecoded_rows": tally.undecoded,
        "missing_rows": tally.missing,
        "image_rows": result.image.rows if result.image is not None else None,
        "left_out": [{"item": item.item, "reason": item.reason} for item in result.left_out[:_LISTED]],
        "left_out_count": len(result.left_out),
        "parts": len(result.text_rows) + len(result.image_rows),
        "parts_from_earlier_runs": result.resumed,
        "seconds": round(result.seconds, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in packages},
        "query_digest": (result.query or result.image_query).digest,
    }


def sentence(result: Result) -> str:
    """The origin of the counts in one sentence."""
    request = result.request
    if request.mode == "image":
        how = f"scored by {result.clip.model}" if result.clip else "by the scores given"
        return f"{result.image.rows:,} samples {how}, counted here (image mode, threshold {result.thresholds[0]:g})."
    where = request.captions.rstrip("/").rpartition("/")[2] or request.captions
    return f"{result.text.rows:,} captions of {where}, counted here ({request.mode} mode)."


def _csv(header: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if row[name] is None else row[name] for name in header] for row in rows)
    return text.getvalue().encode()


def _table(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: _typed(name, values) for name, values in columns.items()})
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def _typed(name: str, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    if isinstance(values, np.ndarray):
        return pa.array(values, from_pandas=True)  # NaN as null
    text = ("concept", "attribute", "a", "b", "status", "query")
    return pa.array(values, pa.string() if name in text else pa.bool_() if name == "contained" else pa.int64())
