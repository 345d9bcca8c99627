"""Pages on sets that they cannot use say so in one sentence; the Data page says what a set was read as."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.runtime import jobs as engine_module
from core.runtime.jobs import Engine
from tests.pictures import encoded, write_tar, write_tree

SHELL = Path(__file__).resolve().parents[1] / "pages" / "_shell.py"
NEED_CLASSES = (
    "explore", "frequency", "tail", "failures", "inspector", "lab", "sentences", "shifts", "corruptions", "attacks",
    "composition",
)  # fmt: skip


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    own = Engine()
    monkeypatch.setattr(engine_module, "_ENGINE", own)
    monkeypatch.setattr("pages.ui.lensbar.read_models", lambda: None)
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    st.cache_resource.clear()
    yield
    own.close()


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(f"{page}/page.py")
    app.run()
    for _ in range(3):
        for job in engine_module.engine().jobs():
            job.wait(60)
        app.run()
    return app


def words(app: AppTest) -> str:
    shown = [*app.get("html"), *app.markdown, *app.warning, *app.info, *app.error]
    return " ".join(str(getattr(item, "body", None) or getattr(item, "value", "")) for item in shown)


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
