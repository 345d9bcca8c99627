"""A whole run: plan, count every part that is not in the store yet, add up, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from core.counting import hits, output
from core.counting.batch import Columns
from core.counting.parts import Part, plan
from core.counting.query import Query, check_window, spelled
from core.counting.request import MODES, Request
from core.counting.tally import Tally
from core.counting.work import done, hits_path, part_key, tally_path
from core.counting.workers import local
from core.errors import BadInput
from core.runtime.machine import cores
from core.text.matcher import plain
from core.types import LeftOut, Progress, Report

PARTS = "parts"
Engine = Callable[[Sequence[Part], Query, Path, Report], Iterator[LeftOut]]
"""Puts the result of every part into the store (``work.compute``), and yields the parts that cannot be read."""


def _silent(_progress: Progress) -> None:
    pass


def count(
    request: Request,
    out: Path,
    *,
    name: str = "",
    workers: int | None = None,
    engine: Engine | None = None,
    report: Report = _silent,
) -> output.Result:
    """Count and write everything to ``out``; what an earlier, interrupted run has finished is not counted again.

    Args:
        name: of the frequency source ``counted:NAME``; empty for none. workers: local processes, all cores if None.
        engine: who computes the parts, instead of local processes.

    Raises:
        TailscopeError: nothing to count, a list or column that makes no sense, or ``report`` raised Stopped.
    """
    started = time.monotonic()
    if request.mode not in MODES:
        raise BadInput(f"There is no mode {request.mode!r}; choose one of {', '.join(MODES)}.")
    thresholds = tuple(sorted(set(request.thresholds)))
    if not thresholds or not all(np.isfinite(thresholds)):
        raise BadInput("A threshold must be a number; give at least one.")
    engine = engine or partial(local, workers=workers or cores())
    store = out / PARTS
    store.mkdir(parents=True, exist_ok=True)
    result = output.Result(request, name=name, thresholds=thresholds, left_out=[*request.left_out])
    if request.mode != "image":
        _captions(request, result, store, engine, report)
    if request.mode in ("image", "integrated"):
        _images(request, result, store, engine, report)
    if request.mode == "integrated":
        _join(result, store, report)
    report(Progress(0, 0, "Writing"))
    result.seconds = time.monotonic() - started
    output.write(result, out)
    return result


def _captions(request: Request, result: output.Result, store: Path, engine: Engine, report: Report) -> None:
    found = plan(
        request.captions, column=request.column, id_column=request.id_column, roots=request.roots, report=report
    )
    keep = request.mode == "integrated"
    common = {"concepts": tuple(request.names), "names": tuple(request.names.values())}
    columns = found.columns if keep else Columns(found.columns.caption, "", found.columns.downloaded)
    if request.mode == "text-paper":
        from core.counting import paper

        tagger, speller = request.tagger or paper.TAGGER, request.speller or paper.SPELLER
        paper.pipeline(tagger)
        terms = paper.spelled(request.names, speller)
        query = Query("text-paper", **common, terms=terms, columns=columns, tagger=tagger, speller=speller)
    else:
        terms = spelled(request.names, request.synonyms)
        attributes = tuple(dict.fromkeys(term for text in request.attributes if (term := plain(text))))
        window = check_window(request.window)
        query = Query("text", **common, terms=terms, attributes=attributes, window=window, columns=columns, keep=keep)
    result.plan, result.query = found, query
    result.left_out += found.left_out
    result.text, result.text_rows = _counted(found.parts, query, store, engine, report, result)


def _images(request: Request, result: output.Result, store: Path, engine: Engine, report: Report) -> None:
    names = tuple(request.names.values())
    id = request.id_column if request.id_column != "#" else ""
    columns = result.plan.columns if result.plan else Columns("", id)
    query = Query(
        "", tuple(request.names), ((),) * len(names), names, columns=columns, thresholds=result.thresholds,
        keep=request.mode == "integrated",
    )  # fmt: skip
    result.image_query = query
    if request.scores:
        from core.counting.scores import plan_scores

        parts, result.layout = plan_scores(request.scores, query, roots=request.roots)
        result.image_parts = parts
        result.image, result.image_rows = _counted(parts, query, store, engine, report, result)
    else:
        from core.counting.clip import score_images

        result.image, result.clip = score_images(request, query, store, report)


def _counted(
    parts: Sequence[Part], query: Query, store: Path, engine: Engine, report: Report, result: output.Result
) -> tuple[Tally, list[int | None]]:
    """Sum over all parts, and the rows of each in order (None for one that cannot be read)."""
    todo = [part for part in parts if not done(part, query, store)]
    result.resumed += len(parts) - len(todo)
    result.left_out += engine(todo, query, store, report)
    total = Tally.empty(len(query.concepts), len(query.attributes), len(query.thresholds))
    rows: list[int | None] = []
    for number, part in enumerate(parts):
        if not number % 50:
            report(Progress(number, len(parts), "Adding up"))
        path = tally_path(store, part_key(part, query))
        one = Tally.read(path)
        if one is None and path.exists():  # damaged since an earlier run
            result.left_out += engine([part], query, store, report)
            one = Tally.read(path)
        rows.append(None if one is None else one.rows)
        if one is not None:
            total.merge(one)
    if not any(count is not None for count in rows):
        reasons = " ".join(item.reason for item in result.left_out[-3:])
        raise BadInput(f"Nothing could be counted: none of the {len(parts):,} parts can be read. {reasons}")
    return total, rows


def _join(result: output.Result, store: Path, report: Report) -> None:
    by_id = bool(result.query.columns.id) and (result.clip is not None or bool(result.layout and result.layout.id))
    result.joined_by = result.query.columns.id if by_id else "number of the row"
    if not by_id and (result.clip is not None or result.layout.kind == "long"):
        raise BadInput(
            "Captions and images can only be joined on an id: name the column of the captions that holds it with "
            "--id-column, and give the scores a column of the same name."
        )
    captions = _files(result.plan.parts, result.query, store, result.text_rows, by_id=by_id)
    if result.clip is not None:
        images = [(result.clip.hits, 0)]
    else:
        images = _files(result.image_parts, result.image_query, store, result.image_rows, by_id=by_id, per_file=True)
        rows = result.image.rows
        if not by_id and rows != result.text.rows:
            raise BadInput(
                f"There are {result.text.rows:,} captions but {rows:,} rows of scores, and no ids to join them on. "
                "Give both a column of ids, or a row of scores for every caption."
            )
    result.both = hits.join(
        captions, images, by_id=by_id, thresholds=result.thresholds, concepts=len(result.query.concepts),
        spill=store / "spill", report=report,
    )  # fmt: skip


def _files(
    parts: Sequence[Part],
    query: Query,
    store: Path,
    rows: Sequence[int | None],
    *,
    by_id: bool,
    per_file: bool = False,
) -> list[tuple[Path, int]]:
    """Hit files of the parts and the number of the row that each counts from (of its file, when ``per_file``)."""
    if not by_id and None in rows:
        raise BadInput(
            "A file could not be read, so rows can no longer be told by their number; give captions and scores a "
            "column of ids, or mend the file."
        )
    found, first, start_of = [], 0, {}
    for part, count in zip(parts, rows, strict=True):
        start_of.setdefault(part.place.uri, first)
        if count is not None:
            found.append((hits_path(store, part_key(part, query)), start_of[part.place.uri] if per_file else first))
            first += count
    return found
