"""A multimodal language model behind an OpenAI-compatible endpoint, asked about a sample of an image set.

One request a picture. Every reply is kept as it comes as a line of the file that ``free_text`` reads, so that a run
that was stopped goes on. The questions are those of arXiv 2405.18415 (open world, and closed world with the names to
choose from), which arXiv 2503.21851 uses in the open world too.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from PIL import Image

from cache import keys
from core.errors import BadInput, ReadFailed, UnreadableData
from core.faults import waiting_for
from core.opening import read_regular
from core.prompts.generate.endpoint import Endpoint, Reply
from core.prompts.generate.flight import Stopping, ask_all
from core.prompts.generate.plan import CHARACTERS_A_TOKEN, MOST_TOKENS, TOKENS_OF_FORMAT, Estimate
from core.prompts.generate.run import drop_broken_end
from core.prompts.generate.unwrap import without_thought
from core.stats.shots import shuffled_ranks
from core.types import ImageSet, LeftOut, Progress, Report, silent

OPEN = "What type of object is in this photo?"
SLOT = "{options}"
CLOSED = f'{OPEN} Choose one from "{SLOT}".'
MOST_BYTES = 256 << 20
REFUSED_IN_A_ROW = 5
"""Pictures that an endpoint may refuse one after the other before the run is given up."""
_TRIED, _TILE = 8, 512
_TOKENS_AN_ANSWER = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One way of asking; the key is no part of it and is never kept.

    Attributes:
        base_url: up to and without ``/chat/completions``; model: the endpoint's name of it.
        question: with the slot ``{options}`` for the names to choose from; empty: the paper's question.
        options: how many class names are offered, the true one among them; 0 for the open world.
        per_class: pictures of every class, drawn by the seed; most: of all classes, spread evenly, or None.
        side: longest side in pixels of what is sent; seed: of the sample, the options and the endpoint.
    """

    base_url: str
    model: str
    question: str = ""
    options: int = 0
    per_class: int = 1
    most: int | None = None
    side: int = 512
    temperature: float = 0.0
    max_tokens: int = 100
    seed: int = 0
    instruction: str = ""

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise BadInput("Name the model that the endpoint should use.")
        if self.options == 1 or self.options < 0:
            raise BadInput("Offer at least two options, or none for an open question.")
        if (SLOT in self.text) != bool(self.options):
            raise BadInput(
                f"A question with options needs the slot {SLOT}, and one without them must not have it: {self.text!r}."
            )
        if self.per_class < 1 or (self.most is not None and self.most < 1) or not 32 <= self.side <= 4096:
            raise BadInput("Ask about one picture or more, with a longest side of 32 to 4,096 pixels.")
        if not (1 <= self.max_tokens <= MOST_TOKENS and 0 <= self.temperature <= 2):
            raise BadInput(f"Ask for replies of 1 to {MOST_TOKENS:,} tokens at a temperature between 0 and 2.")

    @property
    def text(self) -> str:
        """The question as it is kept, its slot unfilled."""
        return self.question or (CLOSED if self.options else OPEN)

    @property
    def kept(self) -> dict[str, Any]:
        """What decides a reply, beside the picture; the size of the sample does not."""
        return {**asdict(self), "question": self.text, "per_class": None, "most": None}


@dataclass(frozen=True, slots=True)
class Question:
    """One picture (row and id in the set), the finished question, and the names that it offers."""

    row: int
    image: str
    text: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What is left to send: pictures, their bytes as JPEG (of a few that were tried), and tokens and price."""

    pictures: int
    bytes: int
    estimate: Estimate

    @property
    def sentence(self) -> str:
        """The cost in words, to be confirmed before anything is sent."""
        return (
            f"{self.pictures:,} pictures, about {self.bytes / 1e6:,.1f} MB: {self.estimate.sentence} Tokens of a "
            f"picture are counted as OpenAI does for GPT-4o (85, and 170 a tile of {_TILE} pixels); others differ."
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """A finished run.

    Attributes:
        path: the file of answers; n: answers about the sample; empty: those without a word.
        skipped: pictures that could not be read, or that the endpoint refused, with the reason.
        models: as the endpoint reports them; adapted: settings that it refused and what was sent instead.
        tokens_in, tokens_out: used by the sample's answers, as the endpoint reports them.
    """

    path: Path
    n: int
    empty: int
    skipped: tuple[LeftOut, ...]
    models: tuple[str, ...]
    adapted: tuple[str, ...]
    tokens_in: int
    tokens_out: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the run, one sentence each."""
        notes = [f"{one[0].upper()}{one[1:]}." for one in self.adapted]
        if self.empty:
            notes.append(f"{self.empty:,} answers are empty; a larger limit of tokens leaves room for thought.")
        if self.skipped:
            first = self.skipped[0]
            notes.append(f"{len(self.skipped):,} pictures have no answer, first {first.item}: {first.reason}")
        return tuple(notes)


def as_json(made: Answered, asked: Asked) -> dict[str, Any]:
    """A run as a JSON object."""
    return {
        "out": str(made.path), "n": made.n, "n_empty": made.empty, "n_unanswered": len(made.skipped),
        "unanswered": [[one.item, one.reason] for one in made.skipped[:20]], "question": asked.text,
        "options": asked.options, "models": list(made.models), "tokens_in": made.tokens_in,
        "tokens_out": made.tokens_out, "notes": list(made.notes),
    }  # fmt: skip


def folder() -> Path:
    """Where the dashboard keeps what it asked, under the cache folder."""
    return keys.root() / "replies"


def place(asked: Asked, image_set: ImageSet) -> Path:
    """The file of these settings and images under ``folder``: asked again, a run goes on where it ended."""
    return (
        folder() / f"{keys.digest([asked.kept, image_set.id, image_set.fingerprint, list(image_set.names)])[:16]}.jsonl"
    )


def questions(asked: Asked, image_set: ImageSet) -> list[Question]:
    """The questions about a class-balanced sample; a larger sample of the same seed holds the smaller ones.

    Raises:
        BadInput: there is no labelled picture.
    """
    labels = np.asarray(image_set.labels)
    rows = np.flatnonzero(labels >= 0)
    if not len(rows) or not image_set.has_images:
        raise BadInput(f"{image_set.id} holds no labelled pictures to ask about.")
    ranks = shuffled_ranks(labels[rows], asked.seed)
    order = np.lexsort((np.random.default_rng([31, asked.seed]).permutation(len(rows)), ranks))
    chosen = rows[order[ranks[order] < asked.per_class]][: asked.most]
    return [_question(asked, image_set, row) for row in chosen.tolist()]


def _question(asked: Asked, image_set: ImageSet, row: int) -> Question:
    image = image_set.image_ids[row]
    if not asked.options:
        return Question(row, image, asked.text, ())
    true = image_set.names[image_set.labels[row]]
    others = [name for name in dict.fromkeys(image_set.names) if name != true]
    rng = np.random.default_rng([32, asked.seed, row])
    drawn = rng.choice(len(others), min(asked.options - 1, len(others)), replace=False).tolist()
    names = [true, *(others[place] for place in drawn)]
    options = tuple(names[place] for place in rng.permutation(len(names)).tolist())
    return Question(row, image, asked.text.replace(SLOT, ", ".join(options)), options)


def cost(
    asked: Asked, image_set: ImageSet, out: Path, *, price_in: float | None = None, price_out: float | None = None
) -> Cost:
    """What asking would send; a few of its pictures are encoded to learn their size.

    Args:
        price_in, price_out: per million tokens; both or none.
    """
    sample, have = questions(asked, image_set), _kept(out, asked)
    left = [one for one in sample if one.image not in have]
    tried = []
    for one in left[:: max(1, len(left) // _TRIED)][:_TRIED]:
        try:
            tried.append(_shrunk(image_set, one.row, asked.side))
        except (UnreadableData, ReadFailed):  # named when it is its turn
            continue
    size = math.ceil(np.mean([len(data) for data, _ in tried]) * len(left)) if tried else 0
    tiles = np.mean([math.ceil(w / _TILE) * math.ceil(h / _TILE) for _, (w, h) in tried]) if tried else 0
    letters = sum(len(asked.instruction) + len(one.text) for one in left)
    tokens_in = math.ceil(letters / CHARACTERS_A_TOKEN + len(left) * (TOKENS_OF_FORMAT + 85 + 170 * tiles))
    tokens_out = len(left) * min(_TOKENS_AN_ANSWER, asked.max_tokens)
    price = most = None
    if price_in is not None and price_out is not None:
        price = (tokens_in * price_in + tokens_out * price_out) / 1e6
        most = (tokens_in * price_in + len(left) * asked.max_tokens * price_out) / 1e6
    done = len(sample) - len(left)
    return Cost(len(left), size, Estimate(len(left), done, tokens_in, tokens_out, price, most))


def _shrunk(image_set: ImageSet, row: int, side: int) -> tuple[bytes, tuple[int, int]]:
    """A picture as JPEG whose longest side is at most ``side``, and its size."""
    picture = image_set.image(row).convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=90)
    return held.getvalue(), picture.size


def ask_about(
    asked: Asked, image_set: ImageSet, out: Path, *, key: str = "", report: Report = silent, parallel: int = 4
) -> Answered:
    """Ask about every picture of the sample that ``out`` holds no answer about, and append the answers there.

    Args:
        key: of the endpoint (``generate.own_key``, or ``generate.key_for`` an address from a browser); never kept.
        report: called after every reply; raises Stopped to end the run, which can be taken up again.
        parallel: pictures on their way at a time.

    Raises:
        BadInput: ``out`` holds answers to something else, or the endpoint refuses one picture after the other.
        DownloadFailed: the endpoint cannot be reached, stays busy, or answers something else.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with waiting_for(FileLock(out.with_suffix(".lock")), report, "Another process is asking; waiting for it"):
        drop_broken_end(out)
        sample, have = questions(asked, image_set), _kept(out, asked)
        left = [one for one in sample if one.image not in have]
        skipped, adapted = _ask(asked, image_set, left, out, key, report, parallel, len(sample))
        found = {image: record for image, record in _kept(out, asked).items() if image in {one.image for one in sample}}
    usage = [record.get("usage") or {} for record in found.values()]
    return Answered(
        out, len(found), sum(not record["answer"].strip() for record in found.values()), tuple(skipped),
        tuple(sorted({str(record.get("model") or asked.model) for record in found.values()})), adapted,
        sum(used.get("prompt_tokens", 0) for used in usage), sum(used.get("completion_tokens", 0) for used in usage),
    )  # fmt: skip


def _ask(
    asked: Asked,
    image_set: ImageSet,
    left: Sequence[Question],
    out: Path,
    key: str,
    report: Report,
    parallel: int,
    total: int,
) -> tuple[list[LeftOut], tuple[str, ...]]:
    stopping, skipped, in_a_row = Stopping(), list[LeftOut](), list[BadInput]()
    done = total - len(left)
    report(Progress(done, total, f"Asking {asked.model} about pictures"))
    with (
        out.open("a", encoding="utf-8", newline="\n") as file,
        Endpoint(asked.base_url, key=key, pause=stopping.pause) as endpoint,
    ):

        def ask(one: Question) -> Reply | BadInput | UnreadableData | ReadFailed:
            try:
                picture, _ = _shrunk(image_set, one.row, asked.side)
                return endpoint.ask(asked, one.text, seed=asked.seed, picture=picture)
            except (BadInput, UnreadableData, ReadFailed) as error:
                return error

        def keep(one: Question, reply: Reply | BadInput | UnreadableData | ReadFailed) -> None:
            if isinstance(reply, Reply):
                file.write(json.dumps(_record(one, reply, asked), allow_nan=False) + "\n")
                file.flush()
            else:
                skipped.append(LeftOut(one.image, str(reply)))

        def then(one: Question, reply: Reply | BadInput | UnreadableData | ReadFailed) -> None:
            nonlocal done
            if isinstance(reply, BadInput):
                in_a_row.append(reply)
            elif isinstance(reply, Reply):
                in_a_row.clear()
            # One picture may be refused for what it shows; a wrong key or model refuses all of them.
            if len(in_a_row) >= min(REFUSED_IN_A_ROW, len(left)):
                raise in_a_row[-1]
            done += 1
            report(Progress(done, total, f"Asking {asked.model} about pictures"))

        ask_all(iter(left), ask, keep=keep, then=then, stopping=stopping, parallel=parallel)
        return skipped, endpoint.adapted


def _record(one: Question, reply: Reply, asked: Asked) -> dict[str, Any]:
    text = reply.texts[0]
    answer = without_thought(text).strip()
    return {
        "image": one.image, "answer": answer, "options": list(one.options), "question": one.text,
        **({} if answer == text.strip() else {"reply": text}), "settings": asked.kept, "model": reply.model,
        "id": reply.id, "finish": list(reply.finish[:1]), "usage": reply.usage,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


def _kept(path: Path, asked: Asked) -> dict[str, dict[str, Any]]:
    """Image -> the record of its answer.

    Raises:
        BadInput: the file holds answers to another question, or of another model. UnreadableData: a line is no answer.
    """
    found = {}
    for number, line in _lines(path):
        try:
            record = json.loads(line)
            settings, image, answer, usage = (record[name] for name in ("settings", "image", "answer", "usage"))
            fits = isinstance(image, str) and isinstance(answer, str) and isinstance(usage, dict)
            if not fits or not all(isinstance(n, int) for n in usage.values()):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UnreadableData(
                f"{path}, line {number}, is no answer that was asked for here; give another file."
            ) from None
        if settings != asked.kept:
            raise BadInput(f"{path} holds answers of another model or to another question; give another file.")
        found[image] = record
    return found


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    if path.exists():
        lines = read_regular(path, limit=MOST_BYTES, name=path.name).split(b"\n")
        # A last line without an end was cut by a kill.
        yield from ((number, line) for number, line in enumerate(lines[:-1], 1) if line.strip())
