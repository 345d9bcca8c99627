"""The default text matcher: what a name is found in, and what it is never found in."""

from __future__ import annotations

from collections import Counter

import pytest

from core.text.folding import decoded, fold, is_unspaced, words
from core.text.matcher import Matcher, shown, spellings
from core.text.plurals import forms
from tests import labelled_names


def named(name: str, caption: str) -> bool:
    return bool(Matcher({"it": [name]}).find(caption))


@pytest.mark.parametrize(
    "caption",
    [
        "Queen Anne's lace by a road", "queen anne\u2019s LACE", "Queen Anne\u02bcs lace", "Queen Anne\u00b4s lace",
        "Queen Anne\u2018s lace", "Queen Anne\uff07s lace", "Queen Anne`s lace", "Queen Anne&#39;s lace",
        "Queen Anne&#x27;s lace", "Queen Anne&#X2019;s lace", "Queen Anne&rsquo;s lace", "Queen Anne&apos;s lace",
        "Queen Anne&amp;#39;s lace", "Queen&nbsp;Anne&#39s lace", "queen+anne%27s+lace",
        "Queen%20Anne%E2%80%99s%20Lace", "queen_anne's_lace_01.jpg", "QUEEN-ANNE'S-LACE", "Queen Annes lace",
        "Queen Anne's laces", "\uff31\uff55\uff45\uff45\uff4e Anne's lace", "(Queen Anne's lace's) leaves",
        "Queen Anne's\u200b lace\u2122",
    ],
)  # fmt: skip
def test_web_spellings_of_an_apostrophe_do_not_hide_a_name(caption):
    assert named("Queen Anne's lace", caption)
    assert named("Queen_Anne\u2019s_Lace", caption)


SIGNS = [*"-_ \u00a0\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\uff3f", " - "]


@pytest.mark.parametrize("sign", SIGNS)
def test_hyphens_dashes_and_underscores_are_blanks(sign):
    for one, other in (("black-footed albatross", f"black{sign}footed albatross"), ("747-300", f"Boeing 747{sign}300")):
        assert named(one, other)
        assert named(other, one.join(("Boeing ", "")))


def test_a_number_is_found_in_a_longer_one_but_needs_all_its_parts():
    assert named("Boeing 747", "a Boeing 747-400 at dusk")
    assert not named("747-300", "a Boeing 747-400")
    assert not named("747-300", "a 747 and 300 people")
    assert not named("Boeing 747", "Boeing 7474")


@pytest.mark.parametrize(
    "caption",
    ["100% cotton dog%27s", "dogs 50%2e off", "a%ffdog", "R&D og", "cats&notdogs", "dog%zzs", "%64og%", "&dog;"],
)
def test_what_is_no_encoding_is_left_alone(caption):
    assert decoded(caption) == caption or caption == "%64og%"


@pytest.mark.parametrize("caption", ["the dog's bowl", "two dogs' bowls", "DOG\u2019S", "dog's", "my dog&#039;s bed"])
def test_a_possessive_does_not_hide_a_name(caption):
    assert named("dog", caption)


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("Baird_Sparrow", "Baird's sparrow"), ("Bairds_Sandpiper", "Baird\u2019s Sandpiper"),
        ("Harriss_Hawk", "Harris's hawk"), ("Chuck_will_Widow", "Chuck-will's-widow"),
        ("lady's slipper", "ladys slipper"), ("mens shoes", "men's shoes"),
    ],
)  # fmt: skip
def test_a_possessive_inside_a_name_does_not_hide_it(name, caption):
    assert named(name, caption)
    # Other names that have the possessive as a word do not take it away.
    assert "it" in Matcher({"it": [name], "a": ["Baird's Sandpiper"], "b": ["Harris's tree"]}).find(caption)


@pytest.mark.parametrize(
    "pair",
    [
        "saluki salukis", "leonberger leonbergers", "kuvasz kuvaszes", "phalarope phalaropes", "a310 a310s",
        "goose geese", "mongoose mongooses", "mouse mice", "dormouse dormice", "louse lice", "foot feet",
        "tooth teeth", "ox oxen", "child children", "grandchild grandchildren", "person people", "man men",
        "fireman firemen", "woman women", "human humans", "doberman dobermans", "wolf wolves", "aardwolf aardwolves",
        "leaf leaves", "cloverleaf cloverleaves", "knife knives", "wife wives", "half halves", "shelf shelves",
        "scarf scarves", "hoof hooves", "loaf loaves", "thief thieves", "glove gloves", "olive olives",
        "valve valves", "cliff cliffs", "giraffe giraffes", "roof roofs", "berry berries", "fly flies",
        "valley valleys", "movie movies", "magpie magpies", "pony ponies", "lady ladies", "potato potatoes",
        "tomato tomatoes", "mosquito mosquitoes", "mango mangos", "piano pianos", "shoe shoes", "toe toes",
        "canoe canoes", "zoo zoos", "box boxes", "fox foxes", "bus buses", "walrus walruses", "class classes",
        "dress dresses", "lens lenses", "gas gases", "iris irises", "mantis mantises", "canvas canvases",
        "beach beaches", "watch watches", "cache caches", "stomach stomachs", "dish dishes", "moth moths",
        "waltz waltzes", "maze mazes", "quiz quizzes", "prize prizes", "house houses", "vase vases", "rose roses",
        "cause causes", "cactus cacti", "cactus cactuses", "fungus fungi", "hippopotamus hippopotami",
        "octopus octopuses", "octopus octopi", "alga algae", "larva larvae", "antenna antennae", "nebula nebulae",
        "bacterium bacteria", "aquarium aquaria", "matrix matrices", "vertex vertices", "oasis oases", "axis axes",
        "phenomenon phenomena", "chateau chateaux", "polyhedron polyhedra", "emu emus", "taxi taxis", "kiwi kiwis",
        "stocking stockings", "lighter lighters", "building buildings", "boxer boxers", "axe axes",
        "specimen specimens", "salmon salmons", "tv tvs",
    ],
)  # fmt: skip
def test_singular_and_plural_count_as_one(pair):
    singular, plural = pair.split()
    assert named(singular, f"some {plural} here")
    assert named(plural, f"a {singular} here")
    assert named(f"great northern {singular}", f"Great Northern {plural.title()}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lighter", "a light blue lighting, lit and lighted"), ("stocking", "stock in stocks, stocked"),
        ("dice", "he will die"), ("dice", "he dies"), ("doe", "what does it do"),
        ("building", "build, builds and built"), ("painting", "paint"), ("boxer", "a box of boxes, boxed"),
        ("cleaver", "to cleave"), ("ruler", "rules rule"), ("rose", "they rise, risen"), ("saw", "I see, seen"),
        ("left", "he leaves"), ("leaves", "to leave"), ("ground", "grind"), ("felt", "feel"), ("wound", "wind"),
        ("bat", "batsman"), ("glasses", "a glass of water"), ("shorts", "a short man"), ("news", "a new one"),
        ("arms", "an arm"), ("goods", "a good one"), ("pants", "he pant"), ("lens", "len"), ("bus", "bu"),
        ("toes", "to"), ("wa", "was"), ("a", "as"), ("medium", "social media"), ("opus", "opera"),
        ("couch", "Couchs Kingbird"), ("bass", "bas"), ("dog", "dogged dogfish doggie hot-dogger dogtooth"),
        ("cat", "catalogue"), ("Levi's", "Levi said"), ("golden retriever", "golden and retriever"),
        ("snake night", "night snake"),
    ],
)  # fmt: skip
def test_a_name_is_never_another_word(name, text):
    assert not named(name, text)


@pytest.mark.parametrize("caption", ["white dice", "a die", "one die on a table"])
def test_a_form_that_is_another_word_needs_its_article(caption):
    assert named("dice", caption)


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("coat of arms", "two coats of arms"), ("bird of paradise", "Birds-of-paradise"),
        ("lily of the valley", "lilies of the valley"), ("hen of the woods", "hens of the woods"),
        ("man in suit", "men in suits"), ("jack-o'-lantern", "jack-o\u2019-lanterns"),
    ],
)  # fmt: skip
def test_the_noun_before_of_takes_the_plural(name, caption):
    assert named(name, caption)


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("狗", "我的狗很可爱"), ("猫", "白い猫です"), ("ネコ", "ﾈｺがいる"), ("แมว", "มีแมวตัวหนึ่งบนโต๊ะ"),
        ("강아지", "귀여운 강아지가 있다"), ("골든 리트리버", "골든리트리버를 산책"),
        ("골든리트리버", "골든 리트리버"), ("ゴールデン・レトリバー", "ゴールデンレトリバー犬"), ("T恤", "红色Ｔ恤"),
        ("ໝາ", "ມີໝາໂຕໜຶ່ງ"), ("ឆ្កែ", "មានឆ្កែមួយ"), ("ခွေး", "အိမ်မှာခွေးရှိတယ်"), ("がくせい", "か\u3099くせい"),
    ],
)  # fmt: skip
def test_scripts_without_blanks_are_found_as_substrings(name, caption):
    assert is_unspaced(name)
    assert len(spellings(name)) == 1
    assert named(name, caption)


def test_substrings_end_at_punctuation_and_words_at_another_script():
    assert not named("猫狗", "猫。狗")
    assert named("dog", "我的dog很可爱")
    assert named("dog", "dog를 산책")
    assert not named("dog", "我的dogs2很")
    assert words("कुत्ता и собака") == ["कुत्ता", "и", "собака"]
    assert not named("कता", "कुत्ता")


def test_the_published_query_is_what_is_searched():
    assert shown(spellings("Queen Anne's lace")) == (
        "queen anne's lace | queen anne's laces | queen annes lace | queen annes laces"
    )
    assert shown(spellings("dice")) == "dice | a die | one die"
    assert shown(spellings("Boeing_747-400")) == "boeing 747 400 | boeing 747 400s"
    assert spellings("?!") == ()


def test_fold_is_one_for_spellings_of_one_name():
    same = ["Queen Anne's Lace", "queen_anne\u2019s-lace", "Queen  Anne&#39;s lace.", "queen+anne%27s+lace"]
    assert {fold(name) for name in same} == {"queen anne's lace"}
    assert fold(" + ") != fold(" - ")


@pytest.mark.parametrize(
    "word", ["saluki", "s", "x", "es", "oes", "ies", "ves", "men", "i", "eaux", "a", "is", "us", "\u4e2d", "é"]
)
def test_no_form_of_a_word_is_empty(word):
    assert forms(word)[0] == word
    assert all(part for form in forms(word) for part in form.split(" "))
    assert len(set(forms(word))) == len(forms(word))


def test_recall_and_precision_on_the_labelled_names():
    """docs/COUNTING.md gives these figures, and those of the matcher before."""
    matcher = Matcher({row["name"]: [row["name"]] for row in labelled_names.read()})
    assert [row["name"] for row in labelled_names.read()] == labelled_names.names()
    asked, found = Counter(), Counter()
    for one in labelled_names.captions():
        asked[one.named, one.kind] += 1
        found[one.named, one.kind] += one.name in matcher.find(one.caption)
    missed = {kind: asked[True, kind] - found[True, kind] for named, kind in asked if named}
    wrong = {kind: found[False, kind] for named, kind in asked if not named}
    assert not any(missed.values()), missed
    assert not any(wrong.values()), wrong
    assert sum(count for (named, _), count in asked.items() if named) == 16363
    assert sum(count for (named, _), count in asked.items() if not named) == 2532


@pytest.mark.slow
def test_no_name_of_the_list_is_found_in_another():
    matcher = Matcher({row["name"]: [row["name"]] for row in labelled_names.read()})
    captions: dict[str, set[str]] = {}
    wrong = []
    for one in labelled_names.others():
        if one.caption not in captions:
            captions[one.caption] = matcher.find(one.caption)
        if one.name in captions[one.caption]:
            wrong.append((one.name, one.caption))
    assert not wrong
