"""What a browser may name: nothing outside the served folders, and no word on whether it exists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from core.datasets.io.roots import VARIABLE
from core.errors import BadInput, PathRefused, TailscopeError, UnknownName
from core.evaluation import evaluate
from core.runtime.jobs import Engine
from pages.counts import form
from pages.ui import served as served_ui
from tests.helpers.pages import answered, opened, words


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are made at once."""
    monkeypatch.setattr(evaluate, "evaluate", answered)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is not served, with one of everything; another one is."""
    served, outside = tmp_path / "served", tmp_path / "outside"
    for folder in (served, outside):
        (folder / "photos" / "a").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / "photos" / "a" / "1.png")
        (folder / "prompts.json").write_text(json.dumps({"a": ["a thing."]}))
        (folder / "model.pt").write_bytes(b"x")
        (folder / "captions.csv").write_text("caption\na thing\n")
        (folder / "word").write_text("a {c}")
    monkeypatch.setenv(VARIABLE, str(served))
    monkeypatch.chdir(outside)
    return outside


REFUSED: list[tuple[Callable[[str], object], str]] = [
    (served_ui.model, "local-dir:{}/photos"),
    (served_ui.model, " local-dir: {}/photos"),
    (served_ui.model, "ViT-B-32,{}/model.pt"),
    (served_ui.model, "open_clip:ViT-B-32,{}/model.pt"),
    (served_ui.model, "ViT-B-32/{}/model.pt"),
    (served_ui.classifier, "local-dir:{}/photos"),
    (served_ui.classifier, "supervised:{}/photos"),
    (served_ui.classifier, "supervised:../photos"),
    (served_ui.classifier, "supervised:~/photos"),
    (served_ui.classifier, "timm:resnet50,{}/model.pt"),
    (served_ui.classifier, "timm:resnet50,model.pt"),
    (served_ui.prompts, "{}/prompts.json"),
    (served_ui.prompts, "prompts.json"),
    (served_ui.prompts, "./word"),
    (served_ui.prompts, "~/prompts.json"),
    (served_ui.prompts, "{}/prompts.json@max"),
    (served_ui.prompts, "dclip:{}/prompts.json"),
    (served_ui.prompts, "dclip:word"),
    (served_ui.prompts, "cupl-full:{}/prompts.json"),
    (served_ui.prompts, "real:argmax:{}/prompts.json"),
    (served_ui.prompts, "real:{}/prompts.json"),
    (served_ui.prompts, "name-family:{}/prompts.json"),
    (served_ui.prompts, "{}/prompts.json\0"),
    (served_ui.image_set, "{}/photos"),
    (served_ui.image_set, "./photos"),
    (served_ui.image_set, "~/photos"),
    (served_ui.image_set, "{}/photos#over=imagenet"),
    (served_ui.image_set, "icons#over={}/photos"),
    (served_ui.image_set, "{}/photos#border=0"),
    (served_ui.image_set, "s3://bucket/photos"),
    (served_ui.path, "{}/captions.csv"),
]


@pytest.mark.parametrize(("ask", "text"), REFUSED, ids=lambda value: getattr(value, "__name__", value))
def test_a_refusal_says_nothing_of_what_is_there(
    outside: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], object], text: str
) -> None:
    """The same sentence before and after everything outside was renamed."""
    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: False)
    monkeypatch.setenv("HOME", str(outside))
    typed = text.format(outside)
    with pytest.raises(PathRefused) as there:
        ask(typed)
    for entry in outside.iterdir():
        entry.rename(entry.with_name(f"moved-{entry.name}"))
    with pytest.raises(PathRefused) as gone:
        ask(typed)
    assert str(there.value) == str(gone.value)


@pytest.mark.parametrize("ask", [served_ui.prompts, served_ui.image_set])
def test_a_word_is_a_misspelt_name_whether_or_not_a_file_is_called_so(
    outside: Path, ask: Callable[[str], object]
) -> None:
    with pytest.raises(BadInput) as there:
        ask("word")
    (outside / "word").unlink()
    with pytest.raises(BadInput) as gone:
        ask("word")
    assert type(there.value) is type(gone.value) is UnknownName
    assert str(there.value) == str(gone.value)


@pytest.mark.parametrize("text", ["simple", "waffle:3", "real:icons-50k", "a photo of a {c}.", "ensemble@max", "class"])
def test_strategies_that_read_no_file_need_no_folder(outside: Path, text: str) -> None:
    assert served_ui.prompts(text) == text


def test_what_is_served_is_let_through(outside: Path) -> None:
    served = outside.parent / "served"
    assert served_ui.image_set(f"{served}/../served/photos") == str(served / "photos")
    assert served_ui.image_set("icons") == "icons"
    assert served_ui.image_set(f"{served}/photos#over=imagenet") == f"{served}/photos#over=imagenet"
    assert served_ui.prompts(f"dclip:{served}/prompts.json") == f"dclip:{served}/prompts.json"
    assert served_ui.classifier(f"supervised:{served}/photos") == f"supervised:{served}/photos"
    with pytest.raises(TailscopeError, match="holds no"):
        served_ui.model(f"local-dir:{served}/photos")
    (served / "link").symlink_to(outside / "photos")
    with pytest.raises(PathRefused):
        served_ui.image_set(f"{served}/link")


@pytest.mark.parametrize(
    "query",
    [
        {"model": "local-dir:{}/photos"},
        {"prompts": "{}/prompts.json"},
        {"set": "{}/photos"},
        {"model": "ViT-B-32,{}/model.pt"},
    ],
)
def test_a_link_to_a_page_of_a_read_only_server_learns_nothing(
    outside: Path, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: False)
    asked = {name: text.format(outside) for name, text in query.items()}
    there = [item.value for item in opened("frequency", **asked).warning]
    for entry in outside.iterdir():
        entry.rename(entry.with_name(f"moved-{entry.name}"))
    gone = [item.value for item in opened("frequency", **asked).warning]
    assert there == gone
    assert any("outside the folders" in sentence for sentence in there)


def test_what_others_uploaded_is_not_read(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cache import keys

    uploads = keys.root() / "uploads"
    uploads.mkdir(exist_ok=True)
    (uploads / "of-another.csv").write_text("caption\nsecret words\n")
    app = opened("counts", captions=str(uploads / "*"))
    assert "secret words" not in words(app) + str([frame.value for frame in app.dataframe])
    assert any("outside the folders" in item.value for item in app.warning)
    assert uploads.resolve() in form.readable()
