"""A generation run: every class asked every question, raw replies kept as they come, sentences written at the end.

Raw replies lie beside the prompt file, one JSON object a line; a run that was stopped goes on from them. They are read
anew by every run, so that better reading of replies needs no new ones.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from cache import keys
from core.errors import DownloadFailed, UnreadableData
from core.faults import waiting_for
from core.opening import regular
from core.prompts.generate.endpoint import Endpoint, Reply
from core.prompts.generate.flight import Stopping, ask_all
from core.prompts.generate.plan import Settings
from core.prompts.generate.replies import EMPTY, THOUGHT, UNFINISHED, is_empty, read_reply
from core.strict_json import write_json
from core.types import Classes, Progress, Report, silent

_LONGEST_LINE = 16 << 20
"""Bytes of a reply; a longer line is cut, which leaves none."""
_EMPTY_TRIES = 2
"""How often a question is asked again after replies without a word."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A reply that gave no sentence: about which class (key), the reply, and why."""

    key: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Generated:
    """A finished run: the prompt file, the raw replies, what they hold and what they used.

    Attributes:
        models: the model ids that the endpoint reported.
        adapted: settings that the endpoint refused and what was done instead, one sentence each.
        unusable: replies without a usable sentence, empty ones among them.
        without: keys of the classes that got no sentence at all.
    """

    path: Path
    replies: Path
    classes: int
    sentences: int
    tokens_in: int
    tokens_out: int
    models: tuple[str, ...]
    adapted: tuple[str, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the run, one sentence each."""
        notes = [f"{sentence[0].upper()}{sentence[1:]}." for sentence in self.adapted]
        for reason, n in Counter(one.reason for one in self.unusable).most_common():
            found = (one for one in self.unusable if one.reason == reason)
            examples = list(dict.fromkeys(f"{one.key} {_shortened(one.text)}".strip() for one in found))
            are = "reply is" if n == 1 else "replies are"
            notes.append(f"{n:,} {are} unusable ({reason}): {_some(examples, 3)}.")
        if any(one.reason in (EMPTY, THOUGHT, UNFINISHED) for one in self.unusable):
            notes.append("A larger limit of tokens leaves room for thought and whole sentences.")
        if n := len(self.without):
            have = "class has" if n == 1 else "classes have"
            notes.append(f"{n:,} {have} no sentence: {_some(self.without, 5)}.")
        return tuple(notes)


def _some(texts: Sequence[str], most: int) -> str:
    return ", ".join(texts[:most]) + (" ..." if len(texts) > most else "")


def _shortened(text: str) -> str:
    plain = " ".join(text.split())
    return f"“{plain[:60]}{'…' if len(plain) > 60 else ''}”" if plain else ""


@dataclass(frozen=True, slots=True)
class _Ask:
    key: str
    question: str
    count: int
    seed: int | None
    empty: int = 0  # rounds so far that brought no word


def replies_path(out: Path) -> Path:
    """Where the raw replies of a prompt file are kept."""
    return out.with_suffix(".replies.jsonl")


def folder() -> Path:
    """Where the dashboard keeps what it had written, under the cache folder."""
    return keys.root() / "prompts"


def place(settings: Settings, image_set: Classes) -> Path:
    """The prompt file of these settings and classes under ``folder``: asked again, a run goes on where it ended."""
    asked = [_kept(settings), list(settings.questions), settings.count, image_set.id, list(image_set.names)]
    return folder() / f"{_slug(image_set)}-{_plain(settings.model)}-{keys.digest(asked)[:8]}.json"


def written(image_set: Classes) -> list[Path]:
    """Finished prompt files about this set under ``folder``, the newest first."""
    found = folder().glob(f"{_slug(image_set)}-*.json") if folder().is_dir() else ()
    return sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))


def _slug(image_set: Classes) -> str:
    return f"{_plain(Path(image_set.id).name)}-{keys.digest(image_set.id)[:4]}"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", text)[:40].strip("._") or "model"


@dataclass(frozen=True, slots=True)
class _Text:
    """One choice of a reply as it came, and the endpoint's reason for its end."""

    text: str
    finish: str


def answered(out: Path, settings: Settings) -> dict[str, list[str]]:
    """Question -> raw texts that earlier runs with these settings got; replies without a word do not count."""
    found = _kept_texts(out, settings)
    return {question: [one.text for one in texts if not is_empty(one.text)] for question, texts in found.items()}


def _kept_texts(out: Path, settings: Settings) -> dict[str, list[_Text]]:
    drop_broken_end(replies_path(out))
    found: dict[str, list[_Text]] = {}
    for record in _records(replies_path(out)):
        if record["settings"] == _kept(settings):
            ends = [*record["finish"], *[""] * len(record["texts"])]
            listed = [_Text(text, end) for text, end in zip(record["texts"], ends, strict=False)]
            found.setdefault(record["question"], []).extend(listed)
    return found


def generate(
    settings: Settings, image_set: Classes, out: Path, *, key: str = "", report: Report = silent, parallel: int = 4
) -> Generated:
    """Ask about every class and write ``{class key: [sentence, ...]}`` to ``out``.

    Args:
        key: of the endpoint (``own_key``, or ``key_for`` an address from a browser); never kept.
        report: called after every reply; raises Stopped to end the run, which can be taken up again.
        parallel: questions on their way at a time.

    Raises:
        BadInput, DownloadFailed: see ``core.prompts.generate.endpoint``; also when no reply holds a usable sentence.
        UnreadableData: damaged raw replies.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(replies_path(out).with_suffix(".lock"))
    with waiting_for(lock, report, "Another process is generating this file; waiting for it"):
        return _generate(settings, image_set, out, key, report, parallel)


def _generate(
    settings: Settings, image_set: Classes, out: Path, secret: str, report: Report, parallel: int
) -> Generated:
    have = {question: len(texts) for question, texts in answered(out, settings).items()}
    names = dict(zip(image_set.keys, image_set.names, strict=True))
    questions = {key: settings.asked(name) for key, name in names.items()}
    # Classes that share a name share their questions, which are asked once.
    different = {question for asked in questions.values() for question in asked}
    done = sum(min(settings.count, have.get(question, 0)) for question in different)
    total = settings.count * len(different)
    stopping = Stopping()

    def told(count: int) -> None:
        report(Progress(count, total, f"Asking {settings.model} for sentences"))

    told(done)
    with (
        replies_path(out).open("a", encoding="utf-8", newline="\n") as file,
        Endpoint(settings.base_url, key=secret, pause=stopping.pause) as endpoint,
    ):

        def keep(ask: _Ask, reply: Reply) -> None:
            file.write(json.dumps(_record(ask, reply, settings), allow_nan=False) + "\n")
            file.flush()

        def then(ask: _Ask, reply: Reply) -> _Ask | None:
            nonlocal done
            done += min(sum(not is_empty(text) for text in reply.texts), ask.count)
            told(done)
            return _again(ask, reply)

        ask_all(
            _open_questions(settings, questions, have),
            lambda ask: endpoint.ask(settings, ask.question, count=ask.count, seed=ask.seed),
            keep=keep, then=then, stopping=stopping, parallel=parallel,
        )  # fmt: skip
        adapted = endpoint.adapted
    return _written(settings, questions, out, adapted)


def _written(
    settings: Settings, questions: Mapping[str, tuple[str, ...]], out: Path, adapted: Sequence[str]
) -> Generated:
    """Read every kept reply and write the prompt file."""
    texts, counted = _kept_texts(out, settings), set[str]()
    sentences: dict[str, list[str]] = {}
    unusable: list[Unusable] = []
    for key, asked in questions.items():
        sentences[key] = []
        for question in asked:
            kept = [one for one in texts.get(question, ()) if not is_empty(one.text)][: settings.count]
            read = [(one, read_reply(one.text, question=question, finish=one.finish)) for one in kept]
            sentences[key] += [found.sentence for _, found in read if found.sentence]
            if question not in counted:
                counted.add(question)
                unusable += [Unusable(key, one.text, found.problem) for one, found in read if found.problem]
                unusable += [Unusable(key, "", EMPTY)] * (settings.count - len(kept))
    records = [r for r in _records(replies_path(out)) if r["settings"] == _kept(settings)]
    made = Generated(
        out,
        replies_path(out),
        len(sentences),
        sum(map(len, sentences.values())),
        sum(r["usage"].get("prompt_tokens", 0) for r in records),
        sum(r["usage"].get("completion_tokens", 0) for r in records),
        tuple(sorted({r["model"] or settings.model for r in records})),
        tuple(adapted),
        tuple(unusable),
        tuple(key for key, listed in sentences.items() if not listed),
    )
    if not made.sentences:
        raise DownloadFailed(
            f"{settings.model} gave no usable sentence. {' '.join(made.notes)} The replies are kept in {made.replies}."
        )
    write_json(sentences, out)
    return made


def _again(ask: _Ask, reply: Reply) -> _Ask | None:
    """What is still missing of a question; None when nothing is, or when asking brings nothing."""
    got = sum(not is_empty(text) for text in reply.texts)
    empty = 0 if got else ask.empty + 1
    if got >= ask.count or empty > _EMPTY_TRIES:
        return None
    seed = None if ask.seed is None else ask.seed + len(reply.texts)
    return _Ask(ask.key, ask.question, ask.count - got, seed, empty)


def _record(ask: _Ask, reply: Reply, settings: Settings) -> dict[str, Any]:
    return {
        "class": ask.key,
        "question": ask.question,
        "settings": _kept(settings),
        "seed": ask.seed,
        "model": reply.model,
        "id": reply.id,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "texts": list(reply.texts),
        "finish": list(reply.finish),
        "usage": reply.usage,
    }


def _open_questions(
    settings: Settings, questions: Mapping[str, tuple[str, ...]], have: Mapping[str, int]
) -> Iterator[_Ask]:
    asked: set[str] = set()
    for key, listed in questions.items():
        for question in listed:
            got = have.get(question, 0)
            if question in asked or got >= settings.count:
                continue
            asked.add(question)
            yield _Ask(key, question, settings.count - got, None if settings.seed is None else settings.seed + got)


def _kept(settings: Settings) -> dict[str, Any]:
    """The settings that decide a reply, as they are kept; questions stand beside them, the key nowhere."""
    names = ("base_url", "model", "temperature", "max_tokens", "seed", "instruction")
    return {name: getattr(settings, name) for name in names}


def drop_broken_end(path: Path) -> None:
    """Remove a last line that a killed run did not finish."""
    if path.exists() and (content := regular(path).read_bytes()) and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        # Only \n ends a line: earlier versions wrote U+2028 and U+0085 as they came.
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), 1):
            if line.strip():
                yield _reply_of(line, f"{path}, line {number}")


def _reply_of(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
        texts = [text or "" for text in record["texts"]]
        finish, usage = record.get("finish") or [], record.get("usage") or {}
        if not all(isinstance(text, str) for text in [*texts, *finish]) or not isinstance(usage, dict):
            raise ValueError
        counted = {name: n for name, n in usage.items() if isinstance(n, int)}
        kept = {name: record[name] for name in ("question", "settings", "model")}
        return {**kept, "texts": texts, "finish": finish, "usage": counted}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnreadableData(f"{where}, is no reply; delete the line or the file.") from None
