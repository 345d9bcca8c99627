"""What counts say, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.stats.format import many, percent

WHAT = {
    "text": ("caption", "named"), "text-paper": ("caption", "named"), "image": ("image", "shown"),
    "integrated": ("sample", "named and shown together"),
}  # fmt: skip


def finding(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """The tail of one run: how much the commonest fifth takes, what never occurs, what could not be matched.

    Args:
        facts: the provenance of the run; rows: its concepts with ``count``, None where it is unknown.
    """
    counts = sorted((row["count"] for row in rows if row["count"] is not None), reverse=True)
    things, done = WHAT[facts["mode"]]
    fifth, total, zero = len(counts) // 5, sum(counts), counts.count(0)
    samples = many(facts["rows"], things)
    if not total:
        return f"In {samples}, none of {len(counts):,} concepts is {done}."
    share = percent(sum(counts[:fifth]) / total)
    sentence = (
        f"In {samples}, the commonest fifth of {len(counts):,} concepts takes {share} of all counts; {zero:,} "
        f"{'is' if zero == 1 else 'are'} never {done}"
    )
    unknown = len(rows) - len(counts)
    return f"{sentence}, {unknown:,} cannot be matched." if unknown else f"{sentence}."


def ambiguity(about: Mapping[str, Any]) -> str:
    """How far counts of captions can be taken at their word."""
    crowd, nested = about["captions"], [row for row in about.get("contained", ()) if (row["share"] or 0) > 0.5]
    groups = about.get("homonyms", ())
    sentence = f"{percent(crowd['several_share'] or 0, 1)} of captions name several concepts"
    if groups:
        sentence += f"; {many(len(groups), 'group')} of concepts with one spelling cannot be told apart"
    if nested:
        are = "is" if len(nested) == 1 else "are"
        sentence += f"; {many(len(nested), 'concept')} {are} named mostly inside another one's name"
    return f"{sentence}."
