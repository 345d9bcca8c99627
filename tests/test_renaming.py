"""Another name for a class: who takes whose images, and arrows to synonyms, against plain recounts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from core.analysis import random_words_band as waffle_band
from core.analysis import renaming
from core.analysis.compare import compare
from core.charts.lab_names import arrow_figure
from core.charts.lab_null import accuracy_figure
from core.errors import BadInput
from core.prompts.real import Synonyms
from core.stats.intervals import wilson
from tests.answers import answer_with_accuracies, make_answer


@pytest.mark.parametrize("seed", range(4))
def test_who_takes_whose_images_is_counted_one_by_one(seed):
    rng = np.random.default_rng(seed)
    labels, a, b = (rng.integers(0, 5, 300) for _ in range(3))
    a = np.where(rng.random(300) < 0.5, labels, a)
    found = renaming.effect(make_answer(labels, a, keys="abcde"), make_answer(labels, b, keys="abcde"), 2)
    stolen, right, released, lost = Counter(), Counter(), Counter(), Counter()
    for true, old, new in zip(labels.tolist(), a.tolist(), b.tolist(), strict=True):
        if true != 2 and new == 2 and old != 2:
            stolen[true] += 1
            right[true] += old == true
        if true != 2 and old == 2 and new != 2:
            released[true] += 1
        if true == 2 and old == 2 and new != 2:
            lost[new] += 1
    for listed, expected in ((found.stolen, stolen), (found.released, released), (found.lost, lost)):
        assert {one.other: one.n for one in listed} == expected
        assert [one.n for one in listed] == sorted((one.n for one in listed), reverse=True)
    assert {one.other: one.right for one in found.stolen} == {other: right[other] for other in stolen}
    own = labels == 2
    assert found.n == own.sum()
    assert found.before == wilson(int((a[own] == 2).sum()), int(own.sum()))
    assert found.after.value == pytest.approx(np.mean(b[own] == 2))
    with pytest.raises(BadInput):
        renaming.effect(make_answer([0], [0], keys="ab"), make_answer([0], [0], keys="xy"), 0)


def test_a_class_without_images_has_no_accuracy():
    found = renaming.effect(make_answer([0, 0], [0, 1], keys="ab"), make_answer([0, 0], [1, 1], keys="ab"), 1)
    assert math.isnan(found.before.value)
    assert found.stolen == (renaming.Taken(0, 1, 1),)


SYNONYMS = (
    Synonyms("a", "eft", {"eft": 3, "newt": 90}, "newt"),
    Synonyms("b", "Fan", {"fan": 7, "Fan": 7}, "fan"),
    Synonyms("c", "owl", {"owl": 5}, "owl"),
    Synonyms("d", "groenendael", {"belgian sheepdog": 9}, "belgian sheepdog"),
    Synonyms("e", "car", {"car": 0, "auto": 4}, "auto"),
)


def test_arrows_lead_from_names_that_were_counted_to_other_spellings():
    before = answer_with_accuracies([1, 2, 3, 0, 4], 4, keys="abcde")
    after = answer_with_accuracies([4, 2, 3, 1, 3], 4, keys="abcde")
    found = renaming.arrows(before, after, SYNONYMS)
    assert found == (
        renaming.Arrow(0, "eft", "newt", (3, 90), 0.25, 1.0, 4),
        renaming.Arrow(4, "car", "auto", (0, 4), 1.0, 0.75, 4),
    )
    figure = arrow_figure(found, before="simple", after="real", corpus="a corpus")
    lines, rings, heads = figure.data
    assert heads.x.tolist() == pytest.approx([90, 4])
    assert rings.x[0] == pytest.approx(3)
    assert 0 < rings.x[1] < 1  # counted zero times: in the lane at the left
    assert heads.marker.color.tolist() == pytest.approx(np.log10([90, 4]).tolist(), rel=1e-5)
    assert [point[0] for point in heads.customdata] == [0, 4]
    assert np.isnan(np.asarray(lines.x)[2])
    # The first points to the right and up, the second to the right and down.
    assert 0 < heads.marker.angle[0] < 90 < heads.marker.angle[1] < 180
    assert list(arrow_figure((), before="a", after="b", corpus="c").data[0].x) == []


def test_a_name_with_markup_stays_text_in_the_figure():
    arrow = renaming.Arrow(0, "<b>x</b>", "<i>y</i>", (1, 9), 0.1, 0.9, 10)
    words = str(arrow_figure((arrow,), before="<u>", after="b", corpus="c").data)
    assert "<b>x" not in words
    assert "<i>y" not in words


def test_the_band_says_above_inside_and_below():
    drawn = waffle_band.band([0.60, 0.61, 0.62])
    assert drawn.sd == pytest.approx(0.01)
    assert waffle_band.against("x", 0.605, drawn).startswith("x: 60.5 % lies inside the 61.0 ± 1.00 %")
    assert "is 9.0 points above the 61.0 ± 1.00 % of random words (3 seeds)" in waffle_band.against("x", 0.7, drawn)
    assert "is 21.0 points below" in waffle_band.against("x", 0.4, drawn)
    # One seed has no spread, so nothing lies outside it.
    assert "inside" in waffle_band.against("x", 0.7, waffle_band.band([0.6]))


@pytest.mark.parametrize(
    ("strategy", "written"),
    [
        ("cupl-full", True), ("cupl-both@max", True), ("cupl-base:/a.json", True), ("dclip", True), ("waffle:3", True),
        ("simple", False), ("ensemble", False), ("real", False), ("name-family", False), ("a {c}", False),
    ],
)  # fmt: skip
def test_written_sentences_are_told_from_templates(strategy, written):
    assert waffle_band.is_written(strategy) == written


def test_a_prompt_file_is_written_and_a_metrics_file_is_not(tmp_path):
    path = tmp_path / "p.json"
    path.write_text("{}")
    assert waffle_band.is_written(str(path))
    assert not waffle_band.is_written(f"real:{path}")


def test_the_figure_draws_the_band_of_each_lenss_own_model():
    first = answer_with_accuracies([1, 2], 4, keys="ab")
    second = replace(first, top=np.roll(first.top, 1, axis=0))
    lenses = compare({"A": first, "B": second}).lenses
    figure = accuracy_figure(lenses, {"B": waffle_band.Band((0.4, 0.6), 0.5, 0.1)})
    band, marks = figure.data
    assert list(band.x) == pytest.approx([0.4, 0.6, 0.6, 0.4, 0.4])
    assert min(band.y) == 0.5
    assert list(marks.x) == pytest.approx([one.acc1 for one in lenses.values()])
    assert marks.x[0] + marks.error_x.array[0] == pytest.approx(wilson(3, 8).high)
    assert len(accuracy_figure(lenses, {}).data) == 1
