"""Bench row of counting concepts in captions."""

from __future__ import annotations

from core.bench import Row, seconds


def count_captions() -> list[Row]:
    """Captions a second of the default matcher against a plain spaCy noun-lemma index on the same captions."""
    name, against = "count_captions", "a spaCy noun-lemma index (en_core_web_sm) on the same captions"
    try:
        import spacy

        tagger = spacy.load("en_core_web_sm", disable=["parser", "ner"])
    except (ImportError, OSError):
        reason = "spaCy or its language model en_core_web_sm is not installed"
        return [Row(name, None, ">=", 50.0, against, 0, reason)]
    from core.frequency.matcher import Matcher
    from core.icons.concepts import concepts
    from core.icons.corpus import corpus

    captions = [pair.caption for pair in corpus("icons-10k")]
    matcher = Matcher({concept.key: [concept.name] for concept in concepts()})
    few = captions[:1000]
    theirs = seconds(lambda: [[t.lemma_ for t in doc if t.pos_ in ("NOUN", "PROPN")] for doc in tagger.pipe(few)])
    ours = seconds(lambda: [matcher.find(caption) for caption in captions])
    return [Row(name, theirs / len(few) / (ours / len(captions)), ">=", 50.0, against, len(captions))]
