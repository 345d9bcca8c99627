"""A generation run: every class asked every question, raw replies kept as they come, sentences written at the end.

Raw replies lie beside the prompt file, one JSON object a line; a run that was stopped goes on from them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cache import keys
from core.errors import Stopped, UnreadableData
from core.evaluation.reports import write_json
from core.opening import regular
from core.prompts.generate.endpoint import Endpoint
from core.prompts.generate.plan import Settings
from core.types import ImageSet, Progress, Report


@dataclass(frozen=True, slots=True)
class Generated:
    """A finished run: the prompt file, the raw replies, what they hold and what they used.

    Attributes:
        models: the model ids that the endpoint reported.
    """

    path: Path
    replies: Path
    classes: int
    sentences: int
    tokens_in: int
    tokens_out: int
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Ask:
    key: str
    question: str
    count: int
    seed: int | None


def replies_path(out: Path) -> Path:
    """Where the raw replies of a prompt file are kept."""
    return out.with_suffix(".replies.jsonl")


def folder() -> Path:
    """Where the dashboard keeps what it had written, under the cache folder."""
    return keys.root() / "prompts"


def place(settings: Settings, image_set: ImageSet) -> Path:
    """The prompt file of these settings and classes under ``folder``: asked again, a run goes on where it ended."""
    asked = [_kept(settings), list(settings.questions), settings.count, image_set.id, list(image_set.names)]
    return folder() / f"{_slug(image_set)}-{_plain(settings.model)}-{keys.digest(asked)[:8]}.json"


def written(image_set: ImageSet) -> list[Path]:
    """Finished prompt files about this set under ``folder``, the newest first."""
    found = folder().glob(f"{_slug(image_set)}-*.json") if folder().is_dir() else ()
    return sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))


def _slug(image_set: ImageSet) -> str:
    return f"{_plain(Path(image_set.id).name)}-{keys.digest(image_set.id)[:4]}"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", text)[:40].strip("._") or "model"


def answered(out: Path, settings: Settings) -> dict[str, list[str]]:
    """Question -> raw texts that earlier runs with these settings got."""
    _drop_broken_end(replies_path(out))
    found: dict[str, list[str]] = {}
    for record in _records(replies_path(out)):
        if record["settings"] == _kept(settings):
            found.setdefault(record["question"], []).extend(record["texts"])
    return found


def generate(
    settings: Settings, image_set: ImageSet, out: Path, *, report: Report | None = None, parallel: int = 4
) -> Generated:
    """Ask about every class and write ``{class key: [sentence, ...]}`` to ``out``.

    Args:
        report: called after every reply; raises Stopped to end the run, which can be taken up again.
        parallel: questions on their way at a time.

    Raises:
        BadInput, DownloadFailed: see ``core.prompts.generate.endpoint``. UnreadableData: damaged raw replies.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    have = answered(out, settings)
    names = dict(zip(image_set.keys, image_set.names, strict=True))
    questions = {key: settings.asked(name) for key, name in names.items()}
    # Classes that share a name share their questions, which are asked once.
    different = {question for asked in questions.values() for question in asked}
    done = sum(min(settings.count, len(have.get(question, ()))) for question in different)
    total = settings.count * len(different)
    stop = threading.Event()

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped("The generation was stopped.")

    def told(count: int) -> None:
        if report:
            report(Progress(count, total, f"Asking {settings.model} for sentences"))

    told(done)
    with (
        replies_path(out).open("a", encoding="utf-8") as file,
        Endpoint(settings.base_url, pause=pause) as endpoint,
        ThreadPoolExecutor(parallel) as pool,
    ):
        try:
            for ask, texts, record in _replies(pool, parallel, endpoint, settings, questions, have):
                file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
                file.flush()
                have.setdefault(ask.question, []).extend(texts)
                done += min(len(texts), ask.count)
                told(done)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    sentences = {
        key: [s for q in asked for text in have[q][: settings.count] if (s := sentence(text))]
        for key, asked in questions.items()
    }
    write_json(sentences, out)
    own = [r for r in _records(replies_path(out)) if r["settings"] == _kept(settings)]
    return Generated(
        out,
        replies_path(out),
        len(sentences),
        sum(map(len, sentences.values())),
        sum(r["usage"].get("prompt_tokens", 0) for r in own),
        sum(r["usage"].get("completion_tokens", 0) for r in own),
        tuple(sorted({r["model"] for r in own})),
    )


def sentence(text: str) -> str:
    """The first sentence of a reply, on one line and with a full stop, as CuPL keeps them; empty for no words."""
    plain = " ".join(text.split()).strip("\"'“”*-• ")
    found = re.match(r"(.+?[.!?])(?=\s|$)", plain)
    plain = found[1] if found else plain
    if not re.search(r"\w", plain):
        return ""
    return plain if plain[-1] in ".!?" else f"{plain}."


def _replies(
    pool: ThreadPoolExecutor,
    parallel: int,
    endpoint: Endpoint,
    settings: Settings,
    questions: Mapping[str, tuple[str, ...]],
    have: Mapping[str, list[str]],
) -> Iterator[tuple[_Ask, tuple[str, ...], dict[str, Any]]]:
    """Every reply as it comes; servers that give fewer choices than asked are asked again for the rest."""
    waiting = _open_questions(settings, questions, have)
    running: dict[Future, _Ask] = {}
    while True:
        while len(running) < parallel and (ask := next(waiting, None)):
            running[pool.submit(endpoint.ask, settings, ask.question, count=ask.count, seed=ask.seed)] = ask
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            ask, reply = running.pop(future), future.result()
            record = {
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
            yield ask, reply.texts, record
            if missing := max(0, ask.count - len(reply.texts)):
                seed = None if ask.seed is None else ask.seed + len(reply.texts)
                again = _Ask(ask.key, ask.question, missing, seed)
                running[pool.submit(endpoint.ask, settings, ask.question, count=missing, seed=seed)] = again


def _open_questions(
    settings: Settings, questions: Mapping[str, tuple[str, ...]], have: Mapping[str, list[str]]
) -> Iterator[_Ask]:
    asked: set[str] = set()
    for key, listed in questions.items():
        for question in listed:
            got = len(have.get(question, ()))
            if question in asked or got >= settings.count:
                continue
            asked.add(question)
            yield _Ask(key, question, settings.count - got, None if settings.seed is None else settings.seed + got)


def _kept(settings: Settings) -> dict[str, Any]:
    """The settings that decide a reply, as they are kept; questions stand beside them, the key nowhere."""
    names = ("base_url", "model", "temperature", "max_tokens", "seed", "instruction")
    return {name: getattr(settings, name) for name in names}


def _drop_broken_end(path: Path) -> None:
    """Remove a last line that a killed run did not finish."""
    if path.exists() and (content := regular(path).read_bytes()) and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            record = json.loads(line)
            if not isinstance(record["texts"], list) or not isinstance(record["usage"], dict):
                raise ValueError
            yield {name: record[name] for name in ("question", "settings", "texts", "usage", "model")}
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UnreadableData(f"{path}, line {number}, is no reply; delete the line or the file.") from None
