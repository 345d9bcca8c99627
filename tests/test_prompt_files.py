"""Other people's prompt files and pasted templates: matched by name or number, cleaned, and what was done is told."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core import prompts
from core.datasets.names import imagenet_classes
from core.errors import BadInput, UnknownName, UnreadableData
from core.prompts import real


def classes(*keys: str, names: Sequence[str] = (), id: str = "some-set") -> SimpleNamespace:
    shown = list(names) or [key.replace("_", " ") for key in keys]
    return SimpleNamespace(id=id, keys=list(keys), names=shown, templates=())


def written(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("boat", "Boat"),
        ("great_white_shark", "great-white-shark"),
        ("great_white_shark", "Great White  Shark"),
        ("crème", unicodedata.normalize("NFD", "crème")),
        ("jack-o'-lantern", "Jack-o’-lantern"),
        ("black-footed albatross", "black\u2011footed albatross"),
        ("Ｔ-shirt", "T-shirt"),
        ("apartment_building_outdoor", "apartment building (outdoor)"),
        ("Ram C-V Cargo Van Minivan 2012", "Ram C/V Cargo Van Minivan 2012"),
        ("001.Black_footed_Albatross", "Black-footed Albatross"),
        ("n02085620-Chihuahua", "Chihuahua"),
        ("American_Bulldog", "american bulldog"),
        ("straße", "STRASSE"),
    ],
)
def test_folded_spellings_are_matched_and_told(tmp_path, key, entry):
    path = written(tmp_path / "p.json", {"other": ["Other."], entry: ["This one."]})
    made = prompts.prompt_set(path, classes("something else", key))
    assert made.sentences[1] == ("This one.",)
    assert any("matched after folding" in note and entry in note for note in made.notes)
    family = prompts.prompt_set(f"name-family:{written(tmp_path / 'f.json', {entry: 'thing'})}", classes(key))
    assert family.sentences[0][0].endswith("a kind of thing.")


@pytest.mark.parametrize(
    ("key", "entries"),
    [
        ("747-300", ["747-400"]),
        ("C", ["C++"]),
        ("boat", ["boats"]),
        ("crane", ["Crane", "CRANE"]),
        ("creme", ["crème"]),
        ("हिन्दी", ["हिन्द"]),
    ],
)
def test_other_names_are_not_folded_together(tmp_path, key, entries):
    path = written(tmp_path / "p.json", {"tench": ["T."], **{entry: ["No."] for entry in entries}})
    made = prompts.prompt_set(path, classes("tench", key))
    assert made.sentences[1] == (key.replace("_", " "),)
    assert any("bare name" in note and key in note for note in made.notes)
    if len(entries) > 1:
        assert any("fits several entries" in note for note in made.notes)


def test_an_exact_spelling_comes_before_a_folded_one(tmp_path):
    path = written(tmp_path / "p.json", {"Crane": ["Bird."], "crane": ["Machine."]})
    made = prompts.prompt_set(path, classes("crane", "Crane"))
    assert made.sentences == (("Machine.",), ("Bird.",))
    assert made.notes == ()


def record(name: str | None, chosen: str, **counts: int) -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    return {
        **named,
        "alternates": {text.replace("_", " "): n for text, n in counts.items()},
        "most_common_name": chosen,
    }


FLOWERS = [
    record("pink rose", "pink rose", pink_rose=5),
    record("daisy", "oxeye", oxeye=9, daisy=5),
    record("boat", "boat", boat=5),
    record("aster", "aster", aster=5),
]


@pytest.mark.parametrize("keys", [("0", "1", "2", "3"), ("a", "b", "c", "d"), ("pink rose", "daisy", "boat", "aster")])
def test_records_of_real_are_matched_by_their_name(tmp_path, keys):
    path = written(tmp_path / "metrics.json", dict(zip(keys, FLOWERS, strict=True)))
    found = classes("aster", "boat", "daisy", "pink_rose")
    assert [s[0] for s in prompts.prompt_set(f"real:{path}", found).sentences] == [
        "a photo of a aster.", "a photo of a boat.", "a photo of a oxeye.", "a photo of a pink rose.",
    ]  # fmt: skip
    # One's own three of them, one of which the file does not know, and one under another case.
    made = prompts.prompt_set(f"real:{path}", classes("tulip", "Daisy", "Oxeye", "boat"))
    assert made.sentences[0] == ("a photo of a tulip.",)
    assert made.sentences[1] == ("a photo of a oxeye.",)
    assert any("not in the file and keep" in note and "tulip, Oxeye" in note for note in made.notes)
    assert len(real.synonyms(found, path)) == 4
    with pytest.raises(BadInput, match="None of the 4 classes"):
        prompts.prompt_set(f"real:{path}", classes("tulip", "fern", "moss", "oak"))


def test_a_synonym_in_the_file_names_its_class_where_nothing_else_does(tmp_path):
    path = written(tmp_path / "metrics.json", {str(i): one for i, one in enumerate(FLOWERS)})
    made = prompts.prompt_set(f"real:{path}", classes("Oxeye", "boat"))
    assert made.sentences[0] == ("a photo of a oxeye.",)
    assert any("by a further name in the file: Oxeye = daisy" in note for note in made.notes)


def test_records_without_names_count_by_number_only_where_the_numbers_are_those_of_the_set(tmp_path):
    path = written(tmp_path / "metrics.json", {"1": record(None, "b", b=1), "0": record(None, "a", a=1)})
    made = prompts.prompt_set(f"real:{path}", classes("x", "y"))
    assert made.sentences == (("a photo of a a.",), ("a photo of a b.",))
    assert "taken in label order" in made.notes[1]
    with pytest.raises(BadInput, match="without names"):
        prompts.prompt_set(f"real:{path}", classes("x", "y", "z"))


@pytest.mark.parametrize(
    "odd", [None, {}, [], {"name": "daisy"}, {"name": "daisy", "alternates": {}, "most_common_name": " "}, 3]
)
def test_one_odd_record_refuses_no_other(tmp_path, odd):
    path = written(tmp_path / "metrics.json", {"0": FLOWERS[0], "1": odd, "2": FLOWERS[2], "3": FLOWERS[3]})
    made = prompts.prompt_set(f"real:{path}", classes("aster", "daisy"))
    assert made.sentences == (("a photo of a aster.",), ("a photo of a daisy.",))
    assert any("1 record is unusable and skipped: 1" in note for note in made.notes)
    with pytest.raises(UnreadableData, match="not a metrics file"):
        prompts.prompt_set(f"real:{written(tmp_path / 'bad.json', {'0': odd})}", classes("aster"))


def imagenet_metrics(path: Path) -> str:
    """Records by ImageNet's index, not in order, some under another name than open_clip's, as in the release."""
    other = {27: "red eft", 750: "panel bed", 970: "alp"}
    names = [other.get(i, name) for i, (_, name) in enumerate(imagenet_classes())]
    records = {str(i): record(name, f"{name} {i}", **{name: 1}) for i, name in enumerate(names)}
    return written(path, dict(sorted(records.items(), key=lambda item: item[0][::-1])))


def test_records_by_imagenets_index_are_found_for_subsets_of_it(tmp_path):
    path, whole = imagenet_metrics(tmp_path / "metrics.json"), imagenet_classes()
    chosen = [27, 1, 744, 657, 970]
    wnids = classes(*(whole[i][0] for i in chosen), names=[whole[i][1] for i in chosen])
    made = prompts.prompt_set(f"real:{path}", wnids)
    assert [s[0].rstrip(".").rsplit(" ", 1)[1] for s in made.sentences] == [str(i) for i in chosen]
    assert any("newt = red eft" in note and "WordNet id" in note for note in made.notes)
    by_name = classes("Newt", "GOLDFISH", "mountain")
    assert [s[0].rstrip(".").rsplit(" ", 1)[1] for s in prompts.prompt_set(f"real:{path}", by_name).sentences] == [
        "27", "1", "970",
    ]  # fmt: skip
    numbered = classes(*map(str, range(1000)), names=[name for _, name in whole])
    made = prompts.prompt_set(f"real:{path}", numbered)
    assert [s[0].rstrip(".").rsplit(" ", 1)[1] for s in made.sentences] == [str(i) for i in range(1000)]


def test_prompt_files_in_imagenets_order_or_with_its_ids_serve_subsets(tmp_path):
    whole = imagenet_classes()
    other = {27: "red eft"}
    lists = {other.get(i, name): [f"Class {i}."] for i, (_, name) in enumerate(whole)}
    subset = classes(*(whole[i][0] for i in (27, 5)), names=[whole[i][1] for i in (27, 5)])
    made = prompts.prompt_set(written(tmp_path / "cupl.json", lists), subset)
    assert made.sentences == (("Class 27.",), ("Class 5.",))
    by_id = written(tmp_path / "ids.json", {whole[i][0]: [f"Class {i}."] for i in (5, 27, 99)})
    assert prompts.prompt_set(by_id, subset).sentences == (("Class 27.",), ("Class 5.",))
    named = classes("newt", "electric_ray")
    assert prompts.prompt_set(by_id, named).sentences == (("Class 27.",), ("Class 5.",))


@pytest.mark.parametrize("empty", [[], [""], [" "], None, "", [None], ["\ud800"], [" \n", None]])
def test_one_empty_class_refuses_no_file(tmp_path, empty):
    path = written(tmp_path / "p.json", {"frog": empty, "newt": ["Wet.", ""], "eft": "Red."})
    for strategy in (path, f"cupl-full:{path}"):
        made = prompts.prompt_set(strategy, classes("frog", "newt", "eft"))
        assert made.sentences == (("frog",), ("Wet.",), ("Red.",))
        assert any("bare name: frog" in note for note in made.notes)
    assert prompts.prompt_set(f"dclip:{path}", classes("frog", "newt")).sentences[0] == ("frog, which has",)
    families = written(tmp_path / "f.json", {"frog": None if empty is None else "", "newt": "animal"})
    assert prompts.prompt_set(f"name-family:{families}", classes("frog", "newt")).sentences[0] == ("frog",)


def test_half_a_character_is_removed_from_a_sentence(tmp_path):
    path = written(tmp_path / "p.json", {"frog": ["A frog \ud83d sits."]})
    assert prompts.prompt_set(path, classes("frog")).sentences == (("A frog sits.",),)


def test_numbered_lists_follow_the_numbers_of_numbered_classes(tmp_path):
    path = written(tmp_path / "p.json", {str(i): [f"Class {i}."] for i in range(12)})
    # Folders are sorted as text: 1, 10, 11, 12, 2 ...
    from_one = classes(*sorted(str(i) for i in range(1, 13)))
    made = prompts.prompt_set(path, from_one)
    assert [s[0] for s in made.sentences] == [f"Class {int(key) - 1}." for key in from_one.keys]
    some = classes("0", "10", "2")
    assert [s[0] for s in prompts.prompt_set(path, some).sentences] == ["Class 0.", "Class 10.", "Class 2."]
    with pytest.raises(BadInput, match="numbered with gaps"):
        prompts.prompt_set(path, classes(*map(str, [*range(11), 20])))


@pytest.mark.parametrize("folder", ["run{1}", "{}", "{c}", "a {name} b", "}{", "@max"])
def test_braces_in_a_path_are_no_slot(tmp_path, folder):
    (tmp_path / folder).mkdir()
    path = written(tmp_path / folder / "p.json", {"frog": ["Green."]})
    for strategy in (path, f"cupl-full:{path}"):
        assert prompts.prompt_set(strategy, classes("frog")).sentences == (("Green.",),)
        assert prompts.prompt_file(strategy) == Path(path)
    (tmp_path / folder / "p.json").unlink()
    for strategy in (path, f"cupl-full:{path}"):
        with pytest.raises(UnknownName, match="file"):
            prompts.prompt_set(strategy, classes("frog"))


def test_a_template_may_begin_like_an_option():
    assert prompts.prompt_set("class: {c}", classes("frog")).sentences == (("class: frog",),)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("lambda c: f'a photo of a {c}.',", "a photo of a {c}."),
        ('lambda name: f"a photo of a {name}.",', "a photo of a {c}."),
        ("'a photo of a {}.',", "a photo of a {}."),
        ('"a photo of a {}.",', "a photo of a {}."),
        ("“a photo of a {}.”", "a photo of a {}."),
        ("f'a photo of a {classname}.'", "a photo of a {c}."),
        ("'a photo of a {}.'.format(c),", "a photo of a {}."),
        ("'a photo of a %s.' % c,", "a photo of a {c}."),
        ("'a person\\'s {}.',", "a person's {}."),
        ("- a photo of a {}.", "a photo of a {}."),
        ("1. a photo of a {}.", "a photo of a {}."),
        ("['a photo of a {}.']", "a photo of a {}."),
        ("templates = [\n    'a photo of a {}.',  # the best\n]", "a photo of a {}."),
        ("# from the paper\n'a photo of a {}.',", "a photo of a {}."),
    ],
)
def test_pasted_templates_are_cleaned_told_and_can_be_taken_as_they_stand(tmp_path, typed, read):
    made = prompts.prompt_set(typed, classes("frog"))
    assert made.sentences == ((prompts.fill(read, "frog"),),)
    assert len(made.notes) == 1
    assert "verbatim:" in made.notes[0]
    file = tmp_path / "templates.txt"
    file.write_text(typed, encoding="utf-8")
    assert prompts.prompt_set(str(file), classes("frog")).sentences == made.sentences
    if "\n" not in typed and "{}" in typed:
        for undone in (f"verbatim:{typed}", f"verbatim:{file}"):
            kept = prompts.prompt_set(undone, classes("frog"))
            assert (kept.sentences, kept.notes) == (((typed.replace("{}", "frog"),),), ())


@pytest.mark.parametrize(
    "typed", ["a '{}'", "'{}' and '{}'", "a {c}, big, red", 'the word: "{c}".', "{}", "it's a {}", "a {c},"]
)
def test_templates_that_only_look_pasted_stay(typed):
    assert prompts.parse_templates(typed).lines == (typed,)
    assert prompts.parse_templates(typed).notes == ()


def test_a_pasted_list_of_several_templates():
    text = "imagenet_templates = [\n    lambda c: f'a bad photo of a {c}.',\n    lambda c: f\"the {c}'s photo.\",\n]"
    assert prompts.parse_templates(text).lines == ("a bad photo of a {c}.", "the {c}'s photo.")
    assert prompts.parse_templates("['a {}.', 'the {}.']").lines == ("a {}.", "the {}.")
    assert prompts.parse_templates("a {}.,\nthe {}.,\n{}").lines == ("a {}.", "the {}.", "{}")
