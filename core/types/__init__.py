"""The few values that cross borders between modules: frozen, hashable where they are keys.

Nothing here knows how a value is made. Each shows itself in a notebook: as one line, and as a table (``to_pandas``).
"""

from __future__ import annotations

from core.types.answers import ORIGINS, Answer, ClassAnswer, ClassScore, ClassValue, Lens, Origin
from core.types.counts import METHODS, FrequencyTable
from core.types.encoders import (
    Aggregation,
    Classifier,
    Embeddings,
    ImageEncoder,
    LearnedContext,
    PromptSet,
    Reading,
    TextEncoder,
    Vectorizer,
)
from core.types.images import Classes, ClassNames, FileState, ImageSet, LeftOut, Track
from core.types.progress import Interval, Progress, Report, silent

__all__ = [
    "METHODS",
    "ORIGINS",
    "Aggregation",
    "Answer",
    "ClassAnswer",
    "ClassNames",
    "ClassScore",
    "ClassValue",
    "Classes",
    "Classifier",
    "Embeddings",
    "FileState",
    "FrequencyTable",
    "ImageEncoder",
    "ImageSet",
    "Interval",
    "LearnedContext",
    "LeftOut",
    "Lens",
    "Origin",
    "Progress",
    "PromptSet",
    "Reading",
    "Report",
    "TextEncoder",
    "Track",
    "Vectorizer",
    "silent",
]
