"""Named prompt strategies against their papers' rules and against the committed icon texts."""

from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import pytest

from core import prompts
from core.datasets.subset import renamed
from core.errors import BadInput, UnknownName, UnreadableData
from core.evaluation.zeroshot import build_classifier, similarities
from core.icons.concepts import concepts
from core.icons.synonyms import count_terms, term_counts
from core.prompts import cupl, dclip, icon_texts, real, waffle
from tests.fakes import FakeImageSet


def named(*names: str, id: str = "some-set", keys: tuple[str, ...] = ()) -> FakeImageSet:
    image_set = FakeImageSet(classes=len(names), n=len(names))
    image_set.id, image_set.names, image_set.keys = id, list(names), list(keys or names)
    return image_set


@pytest.fixture
def icons() -> FakeImageSet:
    world = concepts()
    return named(*(c.name for c in world), id="icons", keys=tuple(c.key for c in world))


def test_every_icon_has_six_distinct_sentences_that_name_it(icons):
    made = prompts.prompt_set("cupl-full", icons)
    assert {len(sentences) for sentences in made.sentences} == {6}
    stripped = Counter()
    for name, sentences in zip(icons.names, made.sentences, strict=True):
        for sentence in sentences:
            assert name.lower() in sentence.lower()
            stripped[" ".join(re.sub(re.escape(name.lower()), " ", sentence.lower()).split())] += 1
    assert len(stripped) >= 0.9 * stripped.total()
    base = prompts.prompt_set("cupl-base", icons)
    assert all(first == six[:3] for first, six in zip(base.sentences, made.sentences, strict=True))


def test_both_pools_templates_and_sentences_in_one_flat_mean(icons):
    both, full = prompts.prompt_set("cupl-both", icons), prompts.prompt_set("cupl-full", icons)
    templates = prompts.prompt_set("ensemble", icons)
    assert both.sentences[7] == templates.sentences[7] + full.sentences[7]
    assert both.aggregation == "embedding"
    vectors = np.random.default_rng(0).normal(size=(86, 5)).astype(np.float32)
    by_hand = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(0)
    row = build_classifier(vectors, np.zeros(86, int), aggregation=both.aggregation, scale=1.0).weights[0]
    np.testing.assert_allclose(row, by_hand / np.linalg.norm(by_hand), rtol=1e-5)


@pytest.mark.parametrize(
    ("descriptor", "sentence"),
    [
        ("a long tail", "otter, which is a long tail"),
        ("antennae", "otter, which is antennae"),
        ("has fur", "otter, which has fur"),
        ("often wet", "otter, which often wet"),
        ("typically brown", "otter, which typically brown"),
        ("may swim", "otter, which may swim"),
        ("can swim", "otter, which can swim"),
        ("used for play", "otter, which is used for play"),
        ("webbed feet", "otter, which has webbed feet"),
        ("", "otter, which has"),
    ],
)
def test_dclips_rule(descriptor, sentence):
    assert dclip.sentence("otter", descriptor) == sentence


def test_dclip_scores_the_mean_of_similarities(tmp_path):
    path = tmp_path / "descriptors.json"
    path.write_text(json.dumps({"otter": ["fur", "a tail"], "newt": []}))
    made = prompts.prompt_set(f"dclip:{path}", named("otter", "newt", "eft"))
    assert made.sentences == (("otter, which has fur", "otter, which is a tail"), ("newt, which has",), ("eft",))
    assert made.aggregation == "similarity"
    assert made.notes == (
        "1 class has no sentences and uses its bare name: eft.",
        "1 class has an empty list and gets one empty descriptor: newt.",
    )
    assert prompts.prompt_set(f"dclip:{path}", named("otter", id="wds_imagenet1k")).sentences[0][0].endswith("fur.")
    assert prompts.prompt_file(f"dclip:{path}") == path
    unit = np.random.default_rng(1).normal(size=(6, 8)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    image, text = unit[:2], unit[2:]
    classifier = build_classifier(text, [0, 0, 1, 2], aggregation=made.aggregation, scale=1.0)
    by_hand = np.stack([(image @ text[0] + image @ text[1]) / 2, image @ text[2], image @ text[3]], axis=1)
    np.testing.assert_allclose(similarities(image, classifier), by_hand, atol=1e-6)


def test_icon_descriptors_read_as_features(icons):
    made = prompts.prompt_set("dclip", icons)
    assert {len(sentences) for sentences in made.sentences} == {4}
    assert all(", which " in sentence for sentences in made.sentences for sentence in sentences)
    assert not any(", which is a " in sentence for sentences in made.sentences for sentence in sentences)


def test_waffle_is_the_same_noise_for_every_class_and_another_for_every_seed(icons):
    made = prompts.prompt_set("waffle", icons)
    assert made == prompts.prompt_set("waffle", icons)
    assert made.aggregation == "similarity"
    tails = {tuple(s.partition(", which has ")[2] for s in sentences) for sentences in made.sentences}
    assert len(tails) == 1
    (tail,) = tails
    assert len(tail) == 2 * waffle.PAIRS
    assert all(set(text.strip(".").split()) <= set(waffle.word_list()) for text in tail[::2])
    assert all(any(letter.isdigit() for letter in text) for text in tail[1::2])
    assert made.sentences != prompts.prompt_set("waffle:1", icons).sentences
    assert made.sentences == prompts.prompt_set("waffle:0", icons).sentences
    with pytest.raises(BadInput, match="takes a seed"):
        prompts.prompt_set("waffle:many", icons)


def test_waffle_words_are_part_of_no_concept():
    own = {
        word
        for c in concepts()
        for text in (c.name, *c.synonyms, c.family)
        for word in re.findall(r"[a-z]+", text.lower())
    }
    assert not own & set(waffle.word_list())


def test_counts_of_spellings_are_those_of_the_captions():
    by_concept = term_counts("icons-10k")
    counted = count_terms("icons-10k")
    assert {(key, term): n for key, terms in by_concept.items() for term, n in terms.items()} == counted
    assert sum(used for used, _ in counted.values()) > 8_000
    assert all(shown <= used for used, shown in counted.values())


def test_real_takes_the_spelling_that_captions_of_the_concept_use_most(icons):
    made = prompts.prompt_set("real", icons)
    for concept, sentences in zip(concepts(), made.sentences, strict=True):
        chosen = sentences[0].removeprefix("a photo of a ").removesuffix(".")
        counts = term_counts("icons-200k")[concept.key]
        used, shown = counts[chosen]
        assert used >= counts[concept.name][0]
        assert chosen == concept.name or 2 * shown > used
    renamed = sum(f"a {c.name}." not in s[0] for c, s in zip(concepts(), made.sentences, strict=True))
    assert made.notes[0].startswith(f"{renamed} of 586 classes are renamed")


def metrics(**records):
    return {
        index: {"name": name, "alternates": alt, "most_common_name": most}
        for index, (name, alt, most) in records.items()
    }


def test_real_offers_the_authors_choice_and_the_largest_count(tmp_path):
    path = tmp_path / "metrics-LAION400M.json"
    # Keys out of order, as in the release.
    path.write_text(
        json.dumps(
            metrics(
                **{
                    "1": ("electric fan", {"electric fan": 5, "cooling fan": 9, "fan": 99}, "cooling fan"),
                    "0": ("groenendael", {"groenendael": 2, "belgian sheepdog": 7}, "belgian sheepdog"),
                }
            )
        )
    )
    dogs = named("groenendael", "electric fan")
    assert prompts.prompt_set(f"real:{path}", dogs).sentences == (
        ("a photo of a belgian sheepdog.",),
        ("a photo of a cooling fan.",),
    )
    assert prompts.prompt_set(f"real:argmax:{path}", dogs).sentences[1] == ("a photo of a fan.",)
    assert prompts.prompt_file(f"real:argmax:{path}") == prompts.prompt_file(f"real:{path}") == path
    assert real.synonyms(dogs, f"argmax:{path}")[1].counts == {"electric fan": 5, "cooling fan": 9, "fan": 99}
    with pytest.raises(BadInput, match="are named like 'groenendael', the set's like 'a'"):
        prompts.prompt_set(f"real:{path}", named("a", "b"))
    path.write_text('{"0": {"name": "x"}, "1": {}}')
    with pytest.raises(UnreadableData, match="not a metrics file"):
        prompts.prompt_set(f"real:{path}", dogs)


def test_name_and_family(icons, tmp_path):
    frog = icons.keys.index("frog")
    assert prompts.prompt_set("name-family", icons).sentences[frog] == ("a frog, a kind of animals.",)
    path = tmp_path / "families.json"
    path.write_text('{"otter": "mammal"}')
    made = prompts.prompt_set(f"name-family:{path}", named("otter", "eft"))
    assert made.sentences == (("a otter, a kind of mammal.",), ("eft",))
    path.write_text('{"otter": 3}')
    with pytest.raises(UnreadableData, match="family"):
        prompts.prompt_set(f"name-family:{path}", named("otter"))


@pytest.mark.parametrize("strategy", ["cupl-base", "cupl-full", "cupl-both", "dclip", "real", "name-family"])
def test_other_sets_are_told_to_bring_a_file(strategy):
    with pytest.raises(BadInput, match=rf"icon world only, and 'tench'.* {strategy}:/path|real:/path"):
        prompts.prompt_set(strategy, named("frog", "tench"))
    with pytest.raises(UnknownName, match=r"There is no (prompt |descriptor )?file"):
        prompts.prompt_set(f"{strategy}:/nowhere.json", named("frog"))


def test_options_only_where_there_are_any():
    with pytest.raises(BadInput, match="takes no option"):
        prompts.prompt_set("simple:3", named("frog"))


@pytest.mark.parametrize("rule", ["embedding", "similarity", "max"])
def test_the_aggregation_can_be_chosen(rule):
    made = prompts.prompt_set(f"ensemble@{rule}", named("frog"))
    assert (made.aggregation, made.strategy) == (rule, f"ensemble@{rule}")
    assert rule in prompts.AGGREGATIONS
    assert prompts.prompt_set(f"a {{c}}@{rule}", named("frog")).sentences == (("a frog",),)


def test_another_name_for_one_class():
    other = renamed(named("otter", "newt", keys=("n1", "n2")), {"n2": "salamander"})
    assert prompts.prompt_set("class", other).sentences == (("otter",), ("salamander",))
    assert other.keys == ["n1", "n2"]
    with pytest.raises(UnknownName):
        renamed(named("otter"), {"n9": "x"})
    with pytest.raises(BadInput):
        renamed(named("otter"), {"otter": " "})


def test_nested_files_are_read_by_dataset(tmp_path):
    path = tmp_path / "cupl.json"
    path.write_text(json.dumps({"cars": {"vw": ["Car."]}, "pets": {"pug": ["A pug."], "cat": ["A cat."]}}))
    made = prompts.prompt_set(str(path), named("cat", "pug", id="/data/animals"))
    assert made.sentences == (("A cat.",), ("A pug.",))
    assert made.notes == ("The file holds 2 datasets; pets was used.",)
    # The set's own name wins over a better cover.
    assert prompts.prompt_set(str(path), named("vw", "cat", "pug", id="wds_cars")).sentences[0] == ("Car.",)


@pytest.mark.parametrize("content", [[["x y"], ["z"]], {"1": ["z"], "0": ["x y"]}])
def test_lists_by_class_index(tmp_path, content):
    path = tmp_path / "lists.json"
    path.write_text(json.dumps(content))
    made = prompts.prompt_set(f"cupl-full:{path}", named("otter", "newt"))
    assert made.sentences == (("x y",), ("z",))
    assert made.notes == ("The file has no class names: its 2 lists were taken in label order.",)
    with pytest.raises(BadInput, match="lists 2 classes by index, but some-set has 3"):
        prompts.prompt_set(f"cupl-full:{path}", named("a", "b", "c"))


def test_equal_names_share_a_list_and_other_spellings_are_found_by_place(tmp_path):
    # Five classes, four names, as ImageNet has 1,000 classes and 998 names; the file spells one of them otherwise.
    path = tmp_path / "imagenet.json"
    path.write_text(json.dumps({"tench": ["T."], "missile": ["M."], "red eft": ["E."], "pug": ["P."]}))
    made = prompts.prompt_set(str(path), named("tench", "missile", "missile", "newt", "pug", keys=tuple("abcde")))
    assert made.sentences == (("T.",), ("M.",), ("M.",), ("E.",), ("P.",))
    assert made.notes == (
        "1 class was matched by place in the file: newt = red eft.",
        "1 name belongs to several classes, which share a list: missile (1, 2).",
    )
    # Not in label order: nothing is guessed.
    path.write_text(json.dumps({"missile": ["M."], "tench": ["T."], "red eft": ["E."], "pug": ["P."]}))
    assert prompts.prompt_set(str(path), named("tench", "missile", "newt", "pug")).sentences[2] == ("newt",)


def test_committed_files_know_every_concept_and_nothing_else():
    keys = {concept.key for concept in concepts()}
    for file in (cupl.FILE, dclip.FILE):
        assert set(icon_texts.icon_lists(file)) == keys


@pytest.mark.parametrize(
    ("strategy", "id"),
    [
        ("simple", "simple"), ("ensemble@max", "ensemble"), ("waffle:3@similarity", "waffle"),
        ("cupl-full:/a@b/c.json", "cupl-full"), ("/a@b/c.json", "/a@b/c.json"), ("{c} @ home: {c}", "{c} @ home: {c}"),
    ],
)  # fmt: skip
def test_the_id_that_a_strategy_begins_with(strategy, id):
    assert prompts.strategy_id(strategy) == id
