"""Pages on sets that they cannot use say so in one sentence; Models and images says what a set was read as."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.runtime.jobs import Engine
from core.types import LeftOut
from pages.ui.answers import provenance
from tests.answers import make_answer
from tests.helpers.pages import opened, words
from tests.pictures import encoded, write_tar, write_tree

NEED_CLASSES = (
    "explore", "frequency", "tail", "failures", "inspector", "lab", "sentences", "shifts", "corruptions", "attacks",
    "composition",
)  # fmt: skip


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that pages may read."""
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))


@pytest.mark.parametrize("page", NEED_CLASSES)
def test_a_captions_set_is_one_sentence_on_every_page(tmp_path: Path, page: str) -> None:
    write_tar(tmp_path / "s" / "test" / "0.tar", {"a.png": encoded(), "a.txt": "an ant"})
    app = opened(page, set=str(tmp_path / "s"))
    assert not app.exception
    assert "unexpectedly" not in words(app)
    assert "captions and no classes" in words(app)


def test_the_data_page_says_what_was_read_and_used(tmp_path: Path) -> None:
    pictures = {f"images/{n}.png": encoded((n, 0, 0)) for n in range(4)}
    rows = "".join(f"images/{n}.png,{'ab'[n % 2]},{'xy'[n // 4]}\n" for n in range(6))
    write_tree(tmp_path / "s", pictures | {"t.csv": f"path,kind,site\n{rows}"})
    app = opened("data", set=f"{tmp_path / 's' / 't.csv'}#label-column=kind", show="image sets")
    assert not app.exception
    assert "table, 2 classes: 4 of 6 images used, 2 skipped" in words(app)
    assert "class from column “kind”" in words(app)


def test_a_broken_archive_is_told_beside_the_numbers_of_what_is_left() -> None:
    whole = make_answer([0, 1], [0, 1], keys=("a", "b"))
    assert "2 of 2 images used · fake" in provenance(whole)
    cut = replace(whole, left_out=(LeftOut("0.tar", "it is cut off", images=0),))
    assert "2 of 2 images used (1 item skipped; listed under Models and images) · fake" in provenance(cut)
