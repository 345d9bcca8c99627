"""Up to four lenses side by side on the same images: what each achieves, and which differences are more than noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

import numpy as np

from core.errors import BadInput
from core.frequency import synonyms
from core.frequency.table import fold, split
from core.prompts.notes import unread
from core.stats.calibration import ReliabilityBin, ece, reliability
from core.stats.format import points
from core.stats.intervals import Tag
from core.stats.paired import class_difference, holm, mcnemar, mean_change, pair, sign_flips
from core.types import Answer, ClassAnswer, FrequencyTable, Interval

if TYPE_CHECKING:
    import pandas as pd

MOST = 4
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Summary:
    """What one lens achieves; all accuracies are fractions.

    Attributes:
        acc1, acc5, mean_per_class_recall: overall; None where not told, acc5 below five classes too.
        head, torso, tail: mean accuracy of the classes of each part; NaN without known counts.
        frequency: the table that tells head from tail, empty for none.
        ece, reliability: calibration of the probability of the class said.
        margin: mean over images of the true class's cosine less the best other's.
        n: images used; n_images: images in the set; None where the source does not tell.
        origin: where the answer comes from.
    """

    acc1: float | None
    acc5: float | None
    mean_per_class_recall: float
    head: float
    torso: float
    tail: float
    frequency: str
    ece: float
    reliability: tuple[ReliabilityBin, ...]
    margin: float
    n: int | None
    n_images: int | None
    origin: str


@dataclass(frozen=True)
class Difference:
    """Lens b against lens a on the images both used.

    Attributes:
        delta: mean over classes of the difference in accuracy (b - a, a fraction), bootstrap over classes.
        b01, b10: images fixed (a wrong, b right) and broken (a right, b wrong).
        p, p_holm: exact McNemar over images, and the same adjusted for all pairs of the comparison.
        fixed, broken: int64, those images as rows of the image set, largest change of margin first.
        unread: lens id -> why its answer says nothing, for a lens whose sentences are cut before they differ.
    """

    a: str
    b: str
    n: int
    delta: Interval
    b01: int
    b10: int
    p: float
    p_holm: float
    fixed: np.ndarray
    broken: np.ndarray
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassDifference:
    """Lens b against lens a over the classes both have, where images cannot be compared one by one.

    Attributes:
        n: classes; delta: mean over them of the difference in accuracy (b - a, a fraction), bootstrap over classes.
        gained, lost: keys of the classes that are better and worse under b, largest change first.
        p, p_holm: randomisation of signs over classes, and the same adjusted for all pairs of the comparison.
    """

    a: str
    b: str
    n: int
    delta: Interval
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    p: float
    p_holm: float


Pair = TypeVar("Pair", bound=Difference | ClassDifference, covariant=True)


@dataclass(frozen=True)
class Comparison(Generic[Pair]):
    """Every lens by its id, and every pair of them in the order given."""

    lenses: Mapping[str, Summary]
    pairs: tuple[Pair, ...]

    def to_pandas(self, by: Literal["lens", "pair"] = "lens") -> pd.DataFrame:
        """One row a lens (accuracies from head to tail, ece, margin, n), or one a pair.

        ``by="pair"``: a, b, difference in class accuracy (b - a) with its interval, p and p after Holm, images or
        classes that are better (``gained``) and worse (``lost``) under b, of n.
        """
        import pandas as pd

        if by == "lens":
            names = [name for name in Summary.__dataclass_fields__ if name != "reliability"]
            rows = [[id, *(getattr(one, name) for name in names)] for id, one in self.lenses.items()]
            return pd.DataFrame(rows, columns=["lens", *names])
        columns = ["a", "b", "delta", "low", "high", "p", "p_holm", "gained", "lost", "n", "unit"]
        pairs = []
        for one in self.pairs:
            changed = (one.b01, one.b10) if isinstance(one, Difference) else (len(one.gained), len(one.lost))
            unit = "images" if isinstance(one, Difference) else "classes"
            delta = one.delta
            pairs.append([one.a, one.b, delta.value, delta.low, delta.high, one.p, one.p_holm, *changed, one.n, unit])
        return pd.DataFrame(pairs, columns=columns)

    def __repr__(self) -> str:
        findings = " ".join(map(headline, self.pairs)) or "one lens, nothing to compare."
        return f"<Comparison of {len(self.lenses)} setups: {findings}>"


@dataclass(frozen=True, slots=True)
class ClassChange:
    """Accuracy of one class under two lenses, over the images both used; ``change`` is after - before.

    ``n`` counts those images, None where the source does not tell.
    """

    key: str
    name: str
    before: float
    after: float
    change: float
    n: int | None


@overload
def compare(
    answers: Mapping[str, Answer], *, tables: Mapping[str, FrequencyTable] | None = None
) -> Comparison[Difference]: ...
@overload
def compare(
    answers: Mapping[str, Answer | ClassAnswer], *, tables: Mapping[str, FrequencyTable] | None = None
) -> Comparison[Difference | ClassDifference]: ...
def compare(
    answers: Mapping[str, Answer] | Mapping[str, Answer | ClassAnswer],
    *,
    tables: Mapping[str, FrequencyTable] | None = None,
) -> Comparison[Difference | ClassDifference]:
    """Compare answers about the same images, or over the same classes where one has per-class values only.

    Args:
        answers: lens id -> its answer; one to four.
        tables: lens id -> pretraining counts that tell its head from its tail, where known.

    Raises:
        BadInput: more than four lenses, or different images.
    """
    if not 1 <= len(answers) <= MOST:
        raise BadInput(f"{len(answers)} setups cannot be compared; choose one to {MOST}.")
    lenses = {id: summarise(answer, (tables or {}).get(id)) for id, answer in answers.items()}
    pairs: tuple[Difference | ClassDifference, ...]
    live = {id: answer for id, answer in answers.items() if isinstance(answer, Answer)}
    if len(live) == len(answers):
        found = [_difference(a, b, live[a], live[b]) for a, b in combinations(live, 2)]
        p = [mcnemar(one["b01"], one["b10"]) for one in found]
        pairs = tuple(Difference(**one, p=q, p_holm=h) for one, q, h in zip(found, p, holm(p), strict=True))
    else:
        changes = [_changes(answers[a], answers[b]) for a, b in combinations(answers, 2)]
        p = [sign_flips(np.array(list(one.values()))) for one in changes]
        pairs = tuple(
            _class_difference(a, b, change, q, h)
            for (a, b), change, q, h in zip(combinations(answers, 2), changes, p, holm(p), strict=True)
        )
    return Comparison(lenses, pairs)


def _changes(a: Answer | ClassAnswer, b: Answer | ClassAnswer) -> dict[str, float]:
    """Class key of a -> accuracy of b less that of a, for the classes that both have; raises BadInput without any."""
    before, after = ({score.key: score.accuracy for score in one.classes} for one in (a, b))
    names = _same_classes(a, b)
    changes = {key: after[other] - before[key] for key, other in names.items()}
    changes = {key: value for key, value in changes.items() if not math.isnan(value)}
    if not changes:
        raise BadInput(
            f"{a.lens.image_set} and {b.lens.image_set} have no class in common; compare setups over the same classes."
        )
    return changes


def _same_classes(a: Answer | ClassAnswer, b: Answer | ClassAnswer) -> dict[str, str]:
    """Class key of a -> class key of b: by key, else by ImageNet's names, else by folded name."""
    if set(a.keys) & set(b.keys):
        return {key: key for key in a.keys if key in set(b.keys)}
    others: dict[str, str] = {}
    for key, name in zip(b.keys, b.names, strict=True):
        for text in synonyms.of_wnid(key) or (name,):
            others.setdefault(fold(text), key)
    found = {}
    for key, name in zip(a.keys, a.names, strict=True):
        other = next((others[fold(text)] for text in synonyms.of_wnid(key) or (name,) if fold(text) in others), None)
        if other is not None:
            found[key] = other
    return found


def _class_difference(a: str, b: str, changes: Mapping[str, float], p: float, p_holm: float) -> ClassDifference:
    ordered = sorted(changes, key=lambda key: changes[key])
    lost = tuple(key for key in ordered if changes[key] < 0)
    gained = tuple(key for key in reversed(ordered) if changes[key] > 0)
    return ClassDifference(a, b, len(changes), mean_change(np.array(list(changes.values()))), gained, lost, p, p_holm)


def summarise(answer: Answer | ClassAnswer, table: FrequencyTable | None = None) -> Summary:
    """What one lens achieves."""
    tags = split(table, answer.keys, answer.names) if table else {}

    def part(tag: Tag) -> float:
        inside = [s.accuracy for s in answer.classes if not math.isnan(s.accuracy) and tags.get(s.key) == tag]
        return float(np.mean(inside)) if inside else math.nan

    if isinstance(answer, ClassAnswer):
        images = [score.n for score in answer.classes if score.n is not None]
        return Summary(
            acc1=answer.acc1, acc5=None, mean_per_class_recall=answer.mean_per_class_recall,
            head=part("head"), torso=part("torso"), tail=part("tail"), frequency=table.name if table else "",
            ece=math.nan, reliability=(), margin=math.nan,
            n=sum(images) if len(images) == len(answer.classes) else None, n_images=None, origin=answer.origin,
        )  # fmt: skip
    bins = reliability(answer.probability, answer.top[:, 0] == answer.labels)
    return Summary(
        acc1=answer.acc1,
        acc5=answer.acc5,
        mean_per_class_recall=answer.mean_per_class_recall,
        head=part("head"),
        torso=part("torso"),
        tail=part("tail"),
        frequency=table.name if table else "",
        ece=ece(bins),
        reliability=bins,
        margin=float(np.mean(answer.margin, dtype=np.float64)),
        n=len(answer.rows),
        n_images=answer.n_images,
        origin=answer.origin,
    )


def _difference(id_a: str, id_b: str, a: Answer, b: Answer) -> dict[str, Any]:
    paired = pair(a, b)
    change = np.abs(paired.margin_b - paired.margin_a)
    fixed, broken = (np.flatnonzero(mask) for mask in (paired.fixed, paired.broken))
    return {
        "a": id_a,
        "b": id_b,
        "n": len(paired.rows),
        "delta": class_difference(paired),
        "b01": len(fixed),
        "b10": len(broken),
        "fixed": paired.rows[fixed[np.argsort(-change[fixed], kind="stable")]],
        "broken": paired.rows[broken[np.argsort(-change[broken], kind="stable")]],
        "unread": {
            id: why for id, answer in ((id_a, a), (id_b, b)) if (why := unread(answer.reading, len(answer.keys)))
        },
    }


def class_changes(a: Answer, b: Answer) -> tuple[ClassChange, ...]:
    """Every class with shared images, from the largest loss to the largest gain, ties in label order."""
    paired = pair(a, b)
    classes = len(a.keys)
    n = np.bincount(paired.labels, minlength=classes)
    hits = [
        np.bincount(paired.labels, weights=said == paired.labels, minlength=classes)
        for said in (paired.said_a, paired.said_b)
    ]
    found = []
    for index in np.flatnonzero(n).tolist():
        before, after = (float(hit[index] / n[index]) for hit in hits)
        found.append(ClassChange(a.keys[index], a.names[index], before, after, after - before, int(n[index])))
    return tuple(sorted(found, key=lambda one: one.change))


def as_json(comparison: Comparison[Difference | ClassDifference], image_ids: Sequence[str]) -> dict[str, Any]:
    """The comparison in the schema of ``python -m core compare``; NaN stays NaN for the writer to turn into null."""
    lenses = {}
    for id, one in comparison.lenses.items():
        lenses[id] = {name: getattr(one, name) for name in Summary.__dataclass_fields__ if name != "reliability"}
        lenses[id]["reliability"] = [
            {name: getattr(part, name) for name in ReliabilityBin.__dataclass_fields__} for part in one.reliability
        ]
    return {"lenses": lenses, "pairs": [_pair_json(one, image_ids) for one in comparison.pairs]}


def _pair_json(one: Difference | ClassDifference, image_ids: Sequence[str]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "a": one.a,
        "b": one.b,
        "n": one.n,
        "delta": one.delta.value,
        "low": one.delta.low,
        "high": one.delta.high,
        "mcnemar": {"b01": None, "b10": None, "p": None},
        "p_holm": one.p_holm,
        "fixed": [],
        "broken": [],
    }
    if isinstance(one, ClassDifference):
        test = {"test": "random signs over classes", "p": one.p, "gained": len(one.gained), "lost": len(one.lost)}
        return record | {"unit": "classes", "classes": test}
    return record | {
        "unit": "images",
        "unread": dict(one.unread),
        "mcnemar": {"b01": one.b01, "b10": one.b10, "p": one.p},
        "fixed": [image_ids[row] for row in one.fixed],
        "broken": [image_ids[row] for row in one.broken],
    }


def title(found: Difference | ClassDifference) -> str:
    """One pair in one number and one comparison; ``headline`` tells how sure that is."""
    if isinstance(found, Difference) and found.unread:
        return "Nothing can be compared."
    apart = not math.isnan(found.delta.low) and (found.delta.low > 0 or found.delta.high < 0)
    if apart and found.p_holm < SIGNIFICANT:
        return f"{found.b} is {points(abs(found.delta.value))} points {_side(found.delta.value)} {found.a}."
    return f"No significant difference between {found.b} and {found.a} ({points(found.delta.value)} points)."


def headline(found: Difference | ClassDifference, *, names: Mapping[str, str] | None = None) -> str:
    """One pair in one or two sentences: how much, how sure, what changed; noise is called noise.

    The interval draws classes, the test images: where the two do not agree the sentence says why.

    Args:
        names: lens id -> what to call it; the ids themselves by default.
    """
    a, b = ((names or {}).get(id, id) for id in (found.a, found.b))
    if isinstance(found, Difference) and found.unread:
        reasons = "; ".join(f"{(names or {}).get(id, id)}: {why}" for id, why in found.unread.items())
        return f"Nothing can be compared. {reasons}."
    size = f"{points(abs(found.delta.value))} points"
    if isinstance(found, ClassDifference):
        if not found.gained and not found.lost:
            return f"{b} and {a} are equal on all {found.n:,} classes."
        flips = f"{len(found.gained):,} classes better, {len(found.lost):,} worse of {found.n:,}"
    elif not found.b01 + found.b10:
        return f"{b} and {a} answer all {found.n:,} images alike."
    else:
        flips = f"{found.b01:,} images fixed, {found.b10:,} broken of {found.n:,}"
    p = f"p = {found.p_holm:.3f}" if found.p_holm >= 0.001 else "p < 0.001"
    bounded = not math.isnan(found.delta.low)
    interval = f"95 % CI {points(found.delta.low)} to {points(found.delta.high)}; " if bounded else ""
    apart = bounded and (found.delta.low > 0 or found.delta.high < 0)
    significant = found.p_holm < SIGNIFICANT
    difference = f"{b} is {size} {_side(found.delta.value)} {a} ({interval}{flips}; {p} after Holm)"
    if apart and significant:
        return f"{difference}."
    if not apart and not significant:
        return f"No clear difference: {difference}, which may be noise."
    if significant and not bounded:
        return f"{difference}; with one class there is no interval over classes."
    if significant:
        return (
            f"{difference}. More images change one way than chance allows, but classes differ so much that the mean "
            "over classes may be zero."
        )
    return f"No clear difference: {difference}. The mean over classes moves, but not more images than chance allows."


def _side(delta: float) -> str:
    return "above" if delta > 0 else "below" if delta < 0 else "from"
