"""Boxes that take what is typed: Enter takes the best match, an unknown name is said and never takes the page away."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import BadInput, UnknownName
from core.evaluation import evaluate
from core.models.registry import quickgelu_warning
from core.paths import ROOT
from core.prompts import check
from core.runtime.jobs import Engine
from core.text.search import best_match, meant_names
from tests.helpers.pages import answered, opened, words

OFFERED = re.compile(r"Use (?P<name>.+)")


def one_box() -> None:
    import streamlit as st

    from core.errors import UnknownName
    from pages.ui import choice

    def known(text: str) -> str:
        if text in ("apple", "pineapple", "RN50,openai", "RN50-quickgelu,openai") or "/" in text:
            return text.upper()
        raise UnknownName(f"nothing is called {text}.")

    options = ["apple", "pineapple", "RN50,openai", "RN50-quickgelu,openai"]
    if key := st.session_state.pop("_enter", None):
        choice._entered(key, options)
    st.session_state["result"] = choice.one("One", "one", options, known)
    st.session_state["results"] = choice.several("Several", "several", options, known, most=3)


def entered(key: str, typed: str | list[str]) -> AppTest:
    """The boxes after Enter in one of them; ``AppTest`` itself sets a box only to what it lists."""
    app = AppTest.from_function(one_box, default_timeout=60)
    app.session_state[key] = typed
    app.session_state["_enter"] = key
    return app.run()


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("app", "APPLE"),
        ("Pine", "PINEAPPLE"),
        ("rn50", "RN50-QUICKGELU,OPENAI"),  # never the pair that the product warns against
        ("/a/path", "/A/PATH"),
    ],
)
def test_enter_takes_the_best_match_or_what_can_be_used(typed: str, taken: str) -> None:
    assert entered("one", typed).session_state["result"] == taken
    assert list(entered("several", ["pineapple", typed]).session_state["results"].values())[-1] == taken


def test_what_matches_nothing_is_said_with_the_nearest_as_buttons() -> None:
    box = entered("one", "aple")
    assert box.session_state["result"] is None
    assert "nothing is called aple" in box.warning[0].value
    assert "Use apple" in [button.label for button in box.button]


def test_one_unknown_name_among_several_leaves_the_others() -> None:
    box = entered("several", ["apple", "pineaple"])
    assert list(box.session_state["results"]) == ["apple"]
    next(button for button in box.button if button.label == "Use pineapple").click().run()
    assert list(box.session_state["results"]) == ["apple", "pineapple"]
    assert not box.warning


def test_every_box_that_takes_new_names_is_one_of_these() -> None:
    scripts = [*(ROOT / "pages").rglob("*.py")]
    own = [path.name for path in scripts if "accept_new_options=True" in path.read_text(encoding="utf-8")]
    assert own == ["choice.py"]


def test_every_module_with_a_plot_to_click_has_a_table_that_selects_the_same() -> None:
    scripts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "pages").rglob("*.py")}
    plots = {path.relative_to(ROOT / "pages").as_posix(): text for path, text in scripts.items() if "plot(" in text}
    clicked = {name for name, text in plots.items() if re.search(r"plot\((?:[^()]|\([^()]*\))*on_select=", text)}
    assert len(clicked) >= 10
    # The scatter of Let It Wag! stands beside its leaderboard, the Overview's below a box of its models, the hardest
    # concepts beside Explore's table.
    beside = {"letitwag/page.py", "overview/tail.py", "explore/scores.py", "ui/downloads.py"}
    assert {name for name in clicked - beside if "tables." not in plots[name]} == set()


WRONG = (
    ("explore", {"model": "ViT-B-32", "set": "iconz", "prompts": "simpel"}),
    ("data", {"fetch_model": "ViT-B-32,opena", "show": "models"}),
    ("data", {"fetch_set": "letitwagg", "show": "image sets"}),
    ("corruptions", {"other": "RN50,opena"}),
    ("lab", {"lenses": ["simple", "class", "ensembel"], "renames": "appel → pear", "lab-view": "rename"}),
    ("shifts", {"shift-models": ["icon-RN,icons-20k"], "shifts": ["icons-v3"]}),
    ("attacks", {"attack-who": ["simpel", "icon-RM,icons-200k::simple"], "attacks-view": "accuracy"}),
    pytest.param("composition", {"composition": "models", "indistribution": "iconz"}, marks=pytest.mark.slow),
    ("published", {"about": "golden retreiver"}),
)


@pytest.mark.parametrize(
    ("page", "query"), WRONG, ids=lambda value: value if isinstance(value, str) else "-".join(value)
)
def test_an_unknown_name_in_an_address_leaves_the_page(
    page: str, query: dict[str, str | list[str]], page_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "evaluate", answered)
    app = opened(page, **query)
    assert not app.exception
    shown = words(app)
    assert "This cannot be shown" not in shown
    assert "<h1" in shown
    assert app.warning
    names = [found["name"] for button in app.button if (found := OFFERED.match(button.label.replace("\\", "")))]
    assert names
    assert not [name for name in names if "," in name and quickgelu_warning(name.partition("::")[0])]


@pytest.mark.parametrize(
    ("typed", "names", "best"),
    [
        ("apple", ["paper plane", "pineapple", "apple"], "apple"),
        ("plane", ["airplane", "paper plane"], "paper plane"),
        ("ha", ["chart", "hat"], "hat"),
        ("zebra", ["apple"], None),
        ("", ["apple"], None),
    ],
)
def test_the_best_match_holds_the_text(typed: str, names: list[str], best: str | None) -> None:
    assert best_match(typed, names) == best


def test_meant_names_forgive_a_slip() -> None:
    assert meant_names("ensembel", ["simple", "ensemble", "class"])[0] == "ensemble"
    assert meant_names("qqqq", ["simple"]) == []


@pytest.mark.parametrize("strategy", ["simple", "ensemble@max", "waffle:3", "a drawing of a {c}.", "class: {}"])
def test_a_strategy_is_checked_without_classes(strategy: str) -> None:
    check(strategy)


def test_what_is_no_strategy_is_told_without_classes() -> None:
    with pytest.raises(UnknownName, match="ensemble"):
        check("ensembel")
    with pytest.raises(BadInput, match="takes no option"):
        check("simple:3")
