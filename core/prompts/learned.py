"""Learned contexts as a prompt strategy: ``learned:/path/to/context.json``, made by ``prompts learn``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.errors import UnknownName, UnreadableData
from core.models.names import model_name
from core.prompts.files import read_json, read_text
from core.types import Classes, LearnedContext, PromptSet

KIND = "learned context"
MOST_VECTORS, MOST_WIDTH = 64, 4096
WITHOUT_A_FILE = (
    "A learned context is a file: write learned:/path/to/context.json. "
    "python -m core prompts learn MODEL SET --out NAME makes one."
)


def of_file(image_set: Classes, path: str) -> PromptSet:
    """Every class under the context of a file."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UnknownName(f"There is no file {path!r}; python -m core prompts learn MODEL SET --out NAME makes one.")
    content = read_json(file, read_text(file))
    context = _context(content, path)
    told = {name: content.get(name) for name in ("set", "shots", "pictures", "seed")}
    note = (
        f"Context of {len(context.vectors)} vectors learned for {model_name(str(content.get('model')))} on "
        f"{told['pictures']} pictures of {told['set']} ({told['shots']} a class, seed {told['seed']}); accuracy on "
        "that set includes them."
    )
    words = " ".join([context.placeholder] * len(context.vectors))
    sentences = tuple((f"{words} {name}.",) for name in image_set.names)
    return PromptSet(f"learned:{path}", sentences, notes=(note,), context=context)


def _context(content: object, path: str) -> LearnedContext:
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise UnreadableData(f"{path} is no learned context; python -m core prompts learn writes one.")
    try:
        vectors = np.array(content["context"], np.float32)
        weights = str(content["weights"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableData(f"{path} holds no context of numbers; learn it again.") from error
    if vectors.ndim != 2 or not 0 < len(vectors) <= MOST_VECTORS or not 0 < vectors.shape[1] <= MOST_WIDTH:
        raise UnreadableData(f"{path} holds a context of shape {vectors.shape}; it must be vectors by width.")
    if not np.isfinite(vectors).all():
        raise UnreadableData(f"{path} holds a context that is not finite; learn it again.")
    return LearnedContext(tuple(map(tuple, vectors.tolist())), weights)
