"""A whole run: plan, count every part that is not in the store yet, add up, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from core.counting import hits, output
from core.counting.batch import Columns
from core.counting.parts import Part, Plan, plan, start_of
from core.counting.query import Query, check_window, spelled
from core.counting.request import MODES, Request
from core.counting.tally import Tally
from core.counting.work import compute, done, hits_path, part_key, tally_path
from core.counting.workers import here, local
from core.errors import BadInput, UnreadableData
from core.runtime import estimates
from core.runtime.estimates import Estimate
from core.runtime.machine import cores
from core.text.matcher import plain
from core.types import LeftOut, Progress, Report, silent

PARTS = "parts"
TRIED = (1 << 18, 1 << 20, 1 << 22)
"""Bytes of a single part that are counted first to tell how long all of it takes, until that takes a second."""
Engine = Callable[[Sequence[Part], Query, Path, Report], Iterator[LeftOut]]
"""Puts the result of every part into the store (``work.compute``), and yields the parts that cannot be read."""


def count(
    request: Request,
    out: Path,
    *,
    name: str = "",
    workers: int | None = None,
    engine: Engine | None = None,
    report: Report = silent,
    beforehand: Callable[[Estimate], None] | None = None,
) -> output.Result:
    """Count and write everything to ``out``; what an earlier, interrupted run has finished is not counted again.

    Args:
        name: of the frequency source ``counted:NAME``; empty for none. workers: local processes, all cores if None.
        engine: who computes the parts, instead of local processes.
        beforehand: told how long the rest takes here, at the rate of the latest run, else of the first part, or of the
            start of the only one.

    Raises:
        TailscopeError: nothing to count, a list or column that makes no sense, or ``report`` raised Stopped.
    """
    started = time.monotonic()
    if request.mode not in MODES:
        raise BadInput(f"There is no mode {request.mode!r}; choose one of {', '.join(MODES)}.")
    thresholds = tuple(sorted(set(request.thresholds)))
    if not thresholds or not all(np.isfinite(thresholds)):
        raise BadInput("A threshold must be a number; give at least one.")
    processes = 0 if engine else workers or cores()
    engine = engine or partial(local, workers=processes)
    store = out / PARTS
    store.mkdir(parents=True, exist_ok=True)
    adding = _Adding(store, engine, report, [*request.left_out], processes=processes, beforehand=beforehand)
    found: output.TextCounts | output.ImageCounts | output.JoinedCounts
    if request.mode == "image":
        found = _images(request, thresholds, None, adding)
    else:
        found = _captions(request, adding)
        if request.mode == "integrated":
            found = _joined(found, _images(request, thresholds, found.plan, adding), store, report)
    report(Progress(0, 0, "Writing"))
    seconds = time.monotonic() - started
    result = output.Result(request, name, thresholds, found, adding.left_out, adding.resumed, seconds)
    output.write(result, out)
    return result


def _captions(request: Request, adding: _Adding) -> output.TextCounts:
    found = plan(
        request.captions, column=request.column, id_column=request.id_column, roots=request.roots, report=adding.report
    )
    keep = request.mode == "integrated"
    concepts, names = tuple(request.names), tuple(request.names.values())
    columns = found.columns if keep else Columns(found.columns.caption, "", found.columns.downloaded)
    if request.mode == "text-paper":
        from core.counting import paper

        tagger, speller = request.tagger or paper.TAGGER, request.speller or paper.SPELLER
        paper.pipeline(tagger)
        terms = paper.spelled(request.names, speller)
        query = Query("text-paper", concepts, terms, names, columns=columns, tagger=tagger, speller=speller)
    else:
        terms = spelled(request.names, request.synonyms)
        attributes = tuple(dict.fromkeys(term for text in request.attributes if (term := plain(text))))
        window = check_window(request.window)
        query = Query("text", concepts, terms, names, attributes, window, columns, keep)
    adding.left_out += found.left_out
    return output.TextCounts(found, query, *adding.up(found.parts, query))


def _images(
    request: Request, thresholds: tuple[float, ...], captions: Plan | None, adding: _Adding
) -> output.ImageCounts:
    names = tuple(request.names.values())
    id = request.id_column if request.id_column != "#" else ""
    columns = captions.columns if captions else Columns("", id)
    query = Query(
        "", tuple(request.names), ((),) * len(names), names, columns=columns, thresholds=thresholds,
        keep=request.mode == "integrated",
    )  # fmt: skip
    if request.scores:
        from core.counting.scores import plan_scores

        parts, layout = plan_scores(request.scores, query, roots=request.roots)
        tally, rows = adding.up(parts, query)
        return output.ImageCounts(query, tally, output.ScoreFiles(parts, layout, rows))
    from core.counting.clip import score_images

    return output.ImageCounts(query, *score_images(request, query, adding.store, adding.report, adding.beforehand))


@dataclass
class _Adding:
    """Has parts counted and adds them up; notes what could not be used and how many parts were counted before."""

    store: Path
    engine: Engine
    report: Report
    left_out: list[LeftOut]
    resumed: int = 0
    processes: int = 0
    beforehand: Callable[[Estimate], None] | None = None

    def up(self, parts: Sequence[Part], query: Query) -> tuple[Tally, list[int | None]]:
        """Sum over all parts, and the rows of each in order (None for one that cannot be read)."""
        todo = [part for part in parts if not done(part, query, self.store)]
        self.resumed += len(parts) - len(todo)
        self._timed(todo, query)
        total = Tally.empty(len(query.concepts), len(query.attributes), len(query.thresholds))
        rows: list[int | None] = []
        for number, part in enumerate(parts):
            if not number % 50:
                self.report(Progress(number, len(parts), "Adding up"))
            path = tally_path(self.store, part_key(part, query))
            one = Tally.read(path)
            if one is None and path.exists():  # damaged since an earlier run
                self.left_out += self.engine([part], query, self.store, self.report)
                one = Tally.read(path)
            rows.append(None if one is None else one.rows)
            if one is not None:
                total.merge(one)
        if not any(count is not None for count in rows):
            reasons = " ".join(item.reason for item in self.left_out[-3:])
            raise BadInput(f"Nothing could be counted: none of the {len(parts):,} parts can be read. {reasons}")
        return total, rows

    def _timed(self, todo: Sequence[Part], query: Query) -> None:
        """Have parts counted and keep the rate, in MB a second; a cluster's rate is not this machine's."""
        work = f"count {query.text or 'scores'} of {todo[0].format}, {self.processes} processes" if todo else ""
        rate = estimates.known(work)
        if self.beforehand and self.processes and rate is None and len(todo) > 1:
            start = time.monotonic()
            self.left_out += here(todo[:1], query, self.store, self.report)
            each = todo[0].size / 1e6 / max(time.monotonic() - start, 1e-9)
            todo = todo[1:]
            rate = each * min(self.processes, len(todo))
        elif self.beforehand and self.processes and rate is None and todo:
            rate = self._tried(todo[0], query)
        size, start = sum(part.size for part in todo) / 1e6, time.monotonic()
        if self.beforehand and self.processes and rate and size:
            self.beforehand(Estimate(max(1, round(size)), "megabyte", rate))
        self.left_out += self.engine(todo, query, self.store, self.report)
        taken = time.monotonic() - start
        if self.processes and size and taken > 1:
            estimates.remember(work, size / taken)

    def _tried(self, part: Part, query: Query) -> float | None:
        """MB a second, of growing starts of a part that are counted and forgotten; None where it cannot be cut."""
        rate = None
        with TemporaryDirectory(dir=self.store) as folder, suppress(UnreadableData):
            for size in TRIED:
                piece = start_of(part, size)
                if piece is None or 2 * piece.size > part.size:
                    break
                start = time.monotonic()
                compute(piece, query, Path(folder), beat=self._trying)
                taken = time.monotonic() - start
                rate = piece.size / 1e6 / max(taken, 1e-9)
                if taken > 1:
                    break
        return rate

    def _trying(self, _rows: int) -> None:
        self.report(Progress(0, 0, "Measuring how fast counting is here"))


def _joined(text: output.TextCounts, image: output.ImageCounts, store: Path, report: Report) -> output.JoinedCounts:
    files, id = image.files, text.query.columns.id
    by_id = bool(id) and (files is None or bool(files.layout.id))
    if not by_id and (files is None or files.layout.kind == "long"):
        raise BadInput(
            "Captions and images can only be joined on an id: name the column of the captions that holds it with "
            "--id-column, and give the scores a column of the same name."
        )
    captions = _files(text.plan.parts, text.query, store, text.rows, by_id=by_id)
    if isinstance(image.scores, output.ScoreFiles):
        images = _files(image.scores.parts, image.query, store, image.scores.rows, by_id=by_id, per_file=True)
        rows = image.tally.rows
        if not by_id and rows != text.tally.rows:
            raise BadInput(
                f"There are {text.tally.rows:,} captions but {rows:,} rows of scores, and no ids to join them on. "
                "Give both a column of ids, or a row of scores for every caption."
            )
    else:
        images = [(image.scores.hits, 0)]
    joined = hits.join(
        captions, images, by_id=by_id, thresholds=image.query.thresholds, concepts=len(text.query.concepts),
        spill=store / "spill", report=report,
    )  # fmt: skip
    return output.JoinedCounts(text, image, joined, id if by_id else "number of the row")


def _files(
    parts: Sequence[Part], query: Query, store: Path, rows: Sequence[int | None], *, by_id: bool, per_file: bool = False
) -> list[tuple[Path, int]]:
    """Hit files of the parts and the number of the row that each counts from (of its file, when ``per_file``)."""
    if not by_id and None in rows:
        raise BadInput(
            "A file could not be read, so rows can no longer be told by their number; give captions and scores a "
            "column of ids, or mend the file."
        )
    found: list[tuple[Path, int]] = []
    start_of: dict[str, int] = {}
    first = 0
    for part, count in zip(parts, rows, strict=True):
        start_of.setdefault(part.place.uri, first)
        if count is not None:
            found.append((hits_path(store, part_key(part, query)), start_of[part.place.uri] if per_file else first))
            first += count
    return found
