"""The shifts of the icon world: each changes one thing, by seed, and nothing of the sets that were there before."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from core.datasets import list_sets, open_set
from core.datasets.formats import icon_recipes
from core.datasets.formats.icon_recipes import KEPT, RECIPES, SHIFTS, draw_one, reference_of
from core.errors import UnreadableData
from core.icons.concepts import concepts, held_out
from core.icons.glyphs import Pose
from core.icons.render import render
from core.icons.setting import PRETRAINING, Setting, moment

STILLS = ("icons-v2", "icons-sketch", "icons-stylised", "icons-cluttered")


def pixels(id: str, index: int) -> np.ndarray:
    return np.asarray(open_set(id).image(index), float)


@pytest.mark.parametrize("id", SHIFTS)
def test_a_shift_reproduces_and_keeps_to_seen_colours(id):
    found = open_set(id)
    for index in range(5, len(found.labels), len(found.labels) // 9):
        np.testing.assert_array_equal(found.image(index), found.render(index))
        assert found.details(index)["seen_pair"] is True
        key = found.keys[found.labels[index]]
        assert (found.drawing(index).colour, key) not in held_out()
        assert found.drawing(index).key == key
        assert found.image_ids[index].startswith(f"{key}/")


@pytest.mark.parametrize("id", STILLS)
def test_a_still_shift_has_ten_pictures_of_every_concept(id):
    found = open_set(id)
    assert np.bincount(found.labels).tolist() == [10] * 586
    assert found.keys == open_set("icons").keys
    assert found.reference == ""
    assert found.reach == 0


def test_seeds_are_the_sets_own_and_no_corpus():
    seeds = [recipe.seed for recipe in RECIPES.values()]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) > 2  # 1 draws the corpora, 2 chooses what is drawn


def test_each_shift_changes_what_it_says_and_nothing_else():
    opened = {id: open_set(id) for id in STILLS}
    styles = {id: Counter(opened[id].drawing(i).style for i in range(0, 5860, 19)) for id in STILLS}
    assert set(styles["icons-sketch"]) == {"outline", "sketch"}
    assert set(styles["icons-stylised"]) == {"embossed", "stamped", "low-contrast", "marbled"}
    assert min(styles["icons-stylised"].values()) > 0.15 * 309
    for id in ("icons-v2", "icons-cluttered"):
        assert set(styles[id]) == {"filled", "textured"}
    for id in ("icons-sketch", "icons-stylised"):
        assert RECIPES[id].setting == PRETRAINING
    for id in ("icons-v2", "icons-cluttered"):
        assert not RECIPES[id].styles


def test_a_setting_leaves_the_other_randomness_of_a_picture_alone():
    drawing = replace(draw_one("icons", "dog", 1), pattern="plain")
    plain = np.asarray(render(drawing, Setting(noise=0)), float)
    tinted = np.asarray(render(drawing, Setting(noise=0, tint=16)), float)
    barred = np.asarray(render(drawing, Setting(noise=0, occluder=9)), float)
    crowded = np.asarray(render(drawing, Setting(noise=0, clutter=5)), float)
    corner = tinted[0, 0] - plain[0, 0]
    assert 0 < np.abs(corner).max() <= 16
    changed = (barred != plain).any(2)
    assert 64 * 9 * 0.6 < changed.sum() < 64 * 9 * 1.6  # a bar of nine pixels across
    assert len(np.unique(barred[changed], axis=0)) == 1  # of one colour
    ink = (np.abs(plain - plain[0, 0]) > 60).any(2)
    both = (crowded == plain).all(2)
    assert both[ink].mean() > 0.9  # the icon lies on top of the clutter
    assert 0.05 < (~both).mean() < 0.5


def test_frames_of_a_sequence_show_one_concept_within_reach_of_the_anchor():
    found = open_set("icons-frames")
    assert (len(found.keys), len(found.labels), found.reach) == (147, 147 * 11, 5)
    facts = [found.details(index) for index in range(len(found.labels))]
    sequences = [fact["sequence"] for fact in facts]
    assert len(set(sequences)) == 147
    for start in range(0, len(facts), 11):
        part = facts[start : start + 11]
        assert [fact["frame"] for fact in part] == list(range(-5, 6))
        assert len({fact["sequence"] for fact in part}) == 1
        assert len(set(found.labels[start : start + 11].tolist())) == 1
        assert len({fact["colour"] + fact["background"] for fact in part}) == 1


def test_an_anchor_is_a_picture_of_pretraining_and_frames_leave_it_step_by_step():
    found = open_set("icons-frames")
    anchor = found.drawing(5)
    np.testing.assert_array_equal(found.image(5), render(anchor))
    distances = []
    for start in range(0, 11 * 40, 11):
        middle = np.asarray(found.image(start + 5), float)
        distances.append([np.abs(np.asarray(found.image(start + i), float) - middle).mean() for i in range(11)])
    mean = np.mean(distances, 0)
    assert mean[5] == 0
    assert min(mean[4], mean[6]) > 6  # noise, light and shake are new in every frame
    assert mean[0] > mean[3] > mean[5] < mean[7] < mean[10]


def test_the_camera_drifts_at_a_constant_speed():
    poses = [moment(Pose(0.0, 2.0, 0.0, 0.0), frame, (11, 0, 0)).pose for frame in range(-5, 6)]
    for value in ([pose.dx for pose in poses], [pose.dy for pose in poses], [np.log(pose.scale) for pose in poses]):
        steps = np.polyfit(range(11), value, 1)
        assert np.abs(np.polyval(steps, range(11)) - value).max() < 3 * 0.6
    assert asdict(poses[5]) == {"angle": 0.0, "scale": 2.0, "dx": 0.0, "dy": 0.0}


def test_adversarial_pictures_are_candidates_that_their_named_reference_gets_wrong():
    from core.supervised.scorer import scorer_for

    found = open_set("icons-adversarial")
    assert found.reference == reference_of("icons-adversarial") == "supervised:icon-reference"
    assert "supervised:icon-reference" in found.note
    assert {drawing.style for drawing in map(found.drawing, range(0, len(found.labels), 9))} == {"filled", "textured"}
    rows = list(range(0, len(found.labels), len(found.labels) // 150))
    scorer = scorer_for(found.reference, open_set("icons"))
    said = scorer.logits(scorer.batch([found.image(row) for row in rows])).argmax(1).numpy()
    truth = [scorer.keys.index(found.keys[found.labels[row]]) for row in rows]
    assert (said == truth).mean() <= 0.01  # another machine's rounding may turn one


def test_the_filter_keeps_the_first_wrong_candidates_of_the_weights_that_ship(tmp_path):
    from core.robustness.shifts.adversarial import EACH, is_current

    assert is_current(), "the reference or its candidates changed: run python -m core icons adversarial"
    other = json.loads(KEPT.read_text(encoding="utf-8"))
    (tmp_path / "kept.json").write_text(json.dumps({**other, "weights": "0" * 64}), encoding="utf-8")
    assert not is_current(tmp_path / "kept.json")
    assert not is_current(tmp_path / "none.json")
    kept = icon_recipes.kept_numbers()
    assert set(kept) <= {concept.key for concept in concepts()}
    assert len(kept) > 500
    for numbers in kept.values():
        assert 1 <= len(numbers) <= EACH
        assert sorted(set(numbers)) == list(numbers)
        assert 0 <= numbers[0] <= numbers[-1] < RECIPES["icons-adversarial"].per_concept
    found = open_set("icons-adversarial")
    assert len(found.labels) == sum(map(len, kept.values()))
    assert len(found.keys) == 586  # what the reference always gets right can still be said
    assert len(found.left_out) == 586 - len(kept)


@pytest.fixture
def patch():
    """Changes that are undone, and what the module remembers of them forgotten."""
    with pytest.MonkeyPatch.context() as changes:
        yield changes
    icon_recipes.reread()


def test_a_missing_or_damaged_list_of_candidates_is_a_sentence(patch, tmp_path):
    (tmp_path / "kept.json").write_text("{", encoding="utf-8")
    for file in ("kept.json", "none.json"):
        patch.setattr(icon_recipes, "KEPT", tmp_path / file)
        icon_recipes.reread()
        with pytest.raises(UnreadableData, match="python -m core icons adversarial"):
            open_set("icons-adversarial")


def test_listing_the_sets_draws_nothing(monkeypatch):
    monkeypatch.setattr("core.datasets.formats.icons.render", None)
    began = time.process_time()
    assert {info.id for info in list_sets()} >= set(RECIPES)
    assert time.process_time() - began < 2


def test_settings_are_part_of_a_sets_fingerprint(patch):
    before = open_set("icons-v2").fingerprint
    changed = replace(RECIPES["icons-v2"], setting=replace(RECIPES["icons-v2"].setting, noise=10.0))
    patch.setitem(RECIPES, "icons-v2", changed)
    icon_recipes.reread()
    assert open_set("icons-v2").fingerprint != before
