"""Searching concepts by what people type."""

from __future__ import annotations

from core.text.search import find_concepts

KEYS = ["elephant", "fire-ext", "fire", "campfire", "dog"]
NAMES = ["elephant", "fire extinguisher", "fire", "campfire", "dog"]
FAMILIES = {"elephant": "animals", "dog": "animals", "fire": "nature"}


def test_an_empty_query_keeps_the_order() -> None:
    assert find_concepts(" ", KEYS, NAMES) == [0, 1, 2, 3, 4]


def test_names_that_start_with_it_come_first_and_the_shortest_leads() -> None:
    assert find_concepts("Fire", KEYS, NAMES)[:3] == [2, 1, 3]


def test_a_misspelt_name_is_found() -> None:
    assert find_concepts("elefant", KEYS, NAMES) == [0]
    assert find_concepts("extingisher", KEYS, NAMES) == [1]


def test_nothing_alike_is_nothing_found() -> None:
    assert find_concepts("zzzz", KEYS, NAMES) == []


def test_family_and_part_leave_out_what_is_unknown() -> None:
    assert find_concepts("", KEYS, NAMES, families=FAMILIES, family="animals") == [0, 4]
    assert find_concepts("", KEYS, NAMES, parts={"dog": "tail"}, part="tail") == [4]
