"""Class names: what is cleaned, what stays, and lists that are matched or refused."""

from __future__ import annotations

import pytest

from core.datasets.cleaning import clean_names
from core.datasets.names import name_classes, read_names
from core.errors import UnreadableData

# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "names", "done"),
    [
        (
            ["1 001.Black_footed_Albatross", "2 002.Laysan_Albatross"],
            ["Black footed Albatross", "Laysan Albatross"],
            "numbers",
        ),
        (["001.ak47", "257.clutter"], ["ak47", "clutter"], "leading numbers"),
        (["n02085620-Chihuahua", "n02088094-Afghan_hound"], ["Chihuahua", "Afghan hound"], "WordNet ids"),
        (["AnnualCrop", "Forest", "SeaLake"], ["Annual Crop", "Forest", "Sea Lake"], "run together"),
        (["0: 'tench',", "1: 'goldfish',"], ["tench", "goldfish"], "quotes and commas"),
        (["grizzly+bear", "ox"], ["grizzly bear", "ox"], "plus sign"),
        (["/a/abbey", "/b/bar/outdoor"], ["abbey", "bar outdoor"], "alphabet"),
        (["1_ant", "2_bee", "3_cat"], ["ant", "bee", "cat"], "leading numbers"),
    ],
)
def test_names_are_cleaned_and_that_is_said_and_can_be_undone(keys, names, done):
    found, told = name_classes(keys)
    assert found == names
    assert done in told
    assert "--names released keeps them" in told
    assert name_classes(keys, naming="released")[0] == keys


@pytest.mark.parametrize(
    "keys",
    [
        ["McDonald", "frog", "iPhone"],
        ["7 Up", "Pepsi"],
        ["2012 BMW", "2013 Audi"],
        ["747-400", "A320", "C-130"],
        ["St. Bernard", "rock'n'roll"],
        ["300C", "500"],
        ["0", "1", "2"],
        ["n01440764", "n01443537"],
        ["101 dalmatians", "cat", "dog"],
    ],
)
def test_names_that_only_look_like_that_stay(keys):
    assert clean_names(keys) == (keys, "")


@pytest.mark.parametrize(
    ("keys", "lines", "names"),
    [
        (["ant", "bee", "cat"], ["cat", "Ant", "BEE"], ["Ant", "BEE", "cat"]),
        (["fire_ant", "honey-bee"], ["honey bee", "fire ant"], ["fire ant", "honey bee"]),
        (["class_1", "class_10", "class_2"], [f"name {n}" for n in range(11)], None),
        (["class_1", "class_10", "class_2"], [f"name {n}" for n in range(1, 11)], ["name 1", "name 10", "name 2"]),
        (["class_0", "class_10", "class_2"], [f"name {n}" for n in range(11)], ["name 0", "name 10", "name 2"]),
        (["001.Black_Swan", "002.Auk"], ["2 002.Auk", "1 001.Black_Swan"], ["Black_Swan", "Auk"]),
        (["n01440764", "n01443537"], ["a fish", "a gold fish"], ["a fish", "a gold fish"]),
        (["ant", "bee"], ["fourmi", "abeille"], None),
    ],
)
def test_a_list_of_names_is_matched_by_name_or_number_or_refused(tmp_path, keys, lines, names):
    (tmp_path / "names.txt").write_text("\n".join(lines))
    if names is None:
        with pytest.raises(UnreadableData, match=r"names\.txt lists"):
            name_classes(keys, tmp_path / "names.txt")
    else:
        assert name_classes(keys, tmp_path / "names.txt")[0] == names


def test_a_dictionary_pasted_from_python_is_a_names_file(tmp_path):
    (tmp_path / "names.txt").write_text("0: 'tench, Tinca tinca',\n1: \"goldfish\",\n")
    assert read_names(tmp_path / "names.txt").by_key == {"0": "tench, Tinca tinca", "1": "goldfish"}
    assert name_classes(["n01440764", "n01443537"], tmp_path / "names.txt")[0] == ["tench, Tinca tinca", "goldfish"]
