"""Results brought in from elsewhere, kept in the cache, as answers with per-class values.

A file is read by ``core.published.runs``: a CLIP_benchmark result with ``classwise``, a CSV of class, accuracy and n,
or a CSV with one row an image. Nothing is kept of a file that cannot be used whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cache import keys
from cache.files import write_bytes
from core.errors import BadInput, NotHere, TailscopeError, UnknownName, UnreadableData
from core.frequency.counted import check_name
from core.models.names import split_model
from core.opening import read_regular
from core.published import runs
from core.stats.intervals import UNDEFINED, wilson
from core.strict_json import strict_json
from core.types import ClassAnswer, ClassValue, Lens

MAX_BYTES = 256 << 20
_SCHEMA = 1


def folder() -> Path:
    """Where imported results lie."""
    return keys.root() / "answers"


def keep(path: Path, *, name: str, model: str = "", image_set: str = "", prompts: str = "") -> ClassAnswer:
    """Read a file of results and keep it under a name, replacing one of that name.

    Args:
        model, image_set, prompts: what the results are of, where the file does not say it.

    Raises:
        UnreadableData: the file holds no results; BadInput: it holds several, or does not say what they are of.
    """
    found = runs.read(read_regular(path, limit=MAX_BYTES, name=path.name), path.name)
    if len(found) > 1:
        raise BadInput(f"{path.name} holds the results of {len(found)} models; give a file with those of one.")
    run = found[0]
    told = {
        "model": model or run.model,
        "image_set": image_set or run.image_set,
        "prompts": prompts or run.prompts or "unknown",
    }
    for option, value in (("--model", told["model"]), ("--set", told["image_set"])):
        if not value:
            raise BadInput(f"{path.name} does not say which {option[2:]} its results are of; give {option}.")
    classes = [[run.keys.get(name, name), name, value / 100, run.n.get(name)] for name, value in run.values.items()]
    return keep_classes(classes, name=name, **told, acc1=run.acc1, file=path.name, note=run.note)


def keep_classes(
    classes: Sequence[Sequence[Any]],
    *,
    name: str,
    model: str,
    image_set: str,
    prompts: str,
    acc1: float | None,
    file: str,
    note: str,
) -> ClassAnswer:
    """Keep per-class accuracies under a name, replacing what was kept under it.

    Args:
        classes: key, name, accuracy (a fraction) and number of images, or None, of each.
        file, note: where they come from, and how they were read.
    """
    record = {
        "schema": _SCHEMA, "model": model, "image_set": image_set, "prompts": prompts, "acc1": acc1, "file": file,
        "note": note, "classes": list(map(list, classes)),
    }  # fmt: skip
    answer = _answer(record, name)
    folder().mkdir(parents=True, exist_ok=True)
    write_bytes(_path(name), keys.sealed(json.loads(strict_json(record)), name=name))
    return answer


def find(model: str, image_set: str, prompts: str | None = None) -> ClassAnswer:
    """The imported results of a model on a set, of these prompts or any.

    Raises:
        NotHere: there are none; the message says how to bring them in.
    """
    for answer in about(image_set).values():
        if _same(answer.lens.model, model) and prompts in (None, answer.lens.prompts):
            return answer
    raise NotHere(
        f"No results of {model} on {image_set} were imported; bring them in with: python -m core answers import FILE"
    )


def about(image_set: str) -> dict[str, ClassAnswer]:
    """The results on an image set that can be read, by name."""
    found = {}
    for name in names():
        try:
            answer = load(name)
        except TailscopeError:
            continue
        if answer.lens.image_set == image_set:
            found[name] = answer
    return found


def names() -> list[str]:
    """Names of the results that were brought in."""
    return sorted(path.stem for path in folder().glob("*.json")) if folder().is_dir() else []


def load(name: str) -> ClassAnswer:
    """Imported results by name; raises UnknownName, or UnreadableData where their file is damaged."""
    try:
        record = keys.unsealed(_path(name).read_bytes(), name=name)
    except OSError as error:
        raise UnknownName(f"No imported results are called {name!r}.") from error
    except ValueError as error:
        raise UnreadableData(f"The imported results {name!r} are damaged; import them again.") from error
    try:
        return _answer(record, name)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableData(f"The imported results {name!r} are damaged; import them again.") from error


def delete(name: str) -> None:
    """Remove imported results; UnknownName when there are none of this name."""
    try:
        _path(name).unlink()
    except FileNotFoundError as error:
        raise UnknownName(f"No imported results are called {name!r}.") from error


def _path(name: str) -> Path:
    return folder() / f"{check_name(name)}.json"


def _answer(record: Mapping[str, Any], name: str) -> ClassAnswer:
    classes = tuple(_class(str(key), str(text), float(value), n) for key, text, value, n in record["classes"])
    if not classes or record["schema"] != _SCHEMA:
        raise ValueError("no classes")
    told = all(score.n for score in classes)
    return ClassAnswer(
        lens=Lens(str(record["model"]), str(record["image_set"]), str(record["prompts"])),
        keys=tuple(score.key for score in classes),
        names=tuple(score.name for score in classes),
        classes=classes,
        acc1=record["acc1"],
        origin="imported",
        recipe=f"As imported: {record['note']}.",
        provenance=f"imported:{name}, from {record['file']}",
        interval_over="images of the class (Wilson)" if told else "",
    )


def _class(key: str, name: str, accuracy: float, n: int | None) -> ClassValue:
    if not 0 <= accuracy <= 1:
        raise ValueError("no fraction")
    interval = wilson(accuracy * n, n) if n else UNDEFINED
    return ClassValue(key, name.replace("_", " "), accuracy, interval.low, interval.high, n)


def _same(one: str, other: str) -> bool:
    return split_model(one.strip()) == split_model(other.strip())
