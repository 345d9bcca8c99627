"""What prompts do for the published models, against the released tables read with pandas alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.analysis import compare, prompt_gains
from core.errors import BadInput
from core.published.answers import published_answer
from core.published.names import HEADLINE_METHOD, ZERO_SHOT_SETS
from core.published.store import open_store
from core.runtime.jobs import Engine
from core.stats.paired import difference_of_means
from tests.helpers.pages import figures, links, opened, words
from tests.shipped_release import load

MODEL, RELEASED = "RN50-quickgelu,cc12m", "backboneRN50_pretrainedcc12m"


def released(dataset: str, condition: str, model: str = RELEASED) -> dict[str, float]:
    """Concept -> percent as released."""
    return load(Path(f"zero_shot_evaluations/{dataset}_{condition}_results.json"))[model]["classwise"]


@pytest.mark.slow
def test_one_model_is_what_the_released_files_say() -> None:
    whole, sets = prompt_gains.by_set(open_store(), [MODEL], "class", "ensemble")
    assert [one.of for one in sets] == list(ZERO_SHOT_SETS)
    every = []
    for one in sets:
        before, after = released(one.of, "class"), released(one.of, "ensemble")
        changes = {name: (after[name] - before[name]) / 100 for name in before if name}
        every += changes.values()
        assert one.n == len(changes)
        assert one.change.value == pytest.approx(np.mean(list(changes.values())), abs=1e-6)
        assert (one.better, one.worse) == (sum(c > 0 for c in changes.values()), sum(c < 0 for c in changes.values()))
        assert one.change.low < one.change.value < one.change.high
    assert whole.n == len(every) == sum(one.n for one in sets)
    assert whole.change.value == pytest.approx(np.mean(every), abs=1e-6)


def test_head_and_tail_are_those_of_the_models_own_pretraining_set() -> None:
    _, sets = prompt_gains.by_set(open_store(), [MODEL], "class", "ensemble")
    one = next(one for one in sets if one.of == "imagenet")
    counts = load(Path(f"search_counts/imagenet_cc12m_{HEADLINE_METHOD}_search_counts.json"))
    before, after = released("imagenet", "class"), released("imagenet", "ensemble")
    ranked = sorted(counts.values())
    rare, common = ranked[199], ranked[800]
    tail = [name for name, count in counts.items() if count <= rare]
    head = [name for name, count in counts.items() if count >= common]
    for interval, names in ((one.tail, tail), (one.head, head)):
        assert interval.value == pytest.approx(np.mean([after[n] - before[n] for n in names]) / 100, abs=1e-6)
    assert one.tail_less_head.value == pytest.approx(one.tail.value - one.head.value)


@pytest.mark.slow
def test_several_models_are_averaged_within_a_concept_and_holm_is_over_the_table() -> None:
    pair = [MODEL, "ViT-B-16,laion400m_e32"]
    _, sets = prompt_gains.by_set(open_store(), pair, "simple", "ensemble")
    one = next(one for one in sets if one.of == "dtd")
    change = [
        np.mean([released("dtd", "ensemble", m)[name] - released("dtd", "simple", m)[name] for m in models])
        for models in [(RELEASED, "backboneViT-B-16_pretrainedlaion400m")]
        for name in released("dtd", "simple")
    ]
    assert one.change.value == pytest.approx(np.mean(change) / 100, abs=1e-6)
    p = np.array([one.p for one in sets])
    order = np.argsort(p)
    step_down = np.maximum.accumulate(np.minimum(1, p[order] * np.arange(len(p), 0, -1)))
    assert [sets[at].p_holm for at in order] == pytest.approx(step_down)
    each = prompt_gains.by_model(open_store(), pair, "simple", "ensemble")
    assert [one.of for one in each] == pair
    assert each[0].n == sum(one.n for one in sets)


def test_one_set_agrees_with_comparing_the_two_published_answers() -> None:
    _, sets = prompt_gains.by_set(open_store(), [MODEL], "class", "ensemble")
    one = next(one for one in sets if one.of == "imagenet")
    answers = {name: published_answer(MODEL, "imagenet", name) for name in ("class", "ensemble")}
    (pair,) = compare.compare(answers).pairs
    assert (pair.n, len(pair.gained), len(pair.lost)) == (one.n, one.better, one.worse)
    assert pair.delta.value == pytest.approx(one.change.value, abs=1e-6)
    assert pair.p == pytest.approx(one.p, abs=2e-3)


def test_the_interval_of_a_difference_of_means_covers_it_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(3), 0
    for trial in range(100):
        a = np.arange(160) < 60
        values = rng.normal(np.where(a, 0.3, 0.1), 0.2)
        found = difference_of_means(values, a, ~a, clusters=np.arange(160), seed=trial)
        covered += found.low <= 0.2 <= found.high
    assert 88 <= covered <= 100


def test_what_was_not_published_is_refused_in_one_sentence() -> None:
    for models, a, b in (
        ([], "class", "cupl-full"),
        ([], "class", "class"),
        (["RN50-quickgelu,openai"], "class", "simple"),
    ):
        with pytest.raises(BadInput):
            prompt_gains.by_set(open_store(), models, a, b)


@pytest.mark.slow
def test_the_page_shows_it_with_nothing_fetched_and_leads_into_the_lens(page_engine: Engine) -> None:
    app = opened("lab", model=MODEL, set="imagenet", change="class-simple")
    assert not app.exception
    assert "Over 18 data sets one template scores" in words(app)
    forest = figures(app)[0]
    assert len(forest["data"][0]["x"]) == 18
    into = [query for label, (page, query) in links(app).items() if page == "explore"]
    assert {"model": [MODEL], "set": ["imagenet"], "prompts": ["simple"]}.items() <= into[0].items()
    both = opened("lab", **{"for": "published", "lab-on": "dtd"})
    assert "21 published models" in words(both)
    assert "Describable Textures: " in words(both)
