from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.datasets import list_sets, open_set
from core.datasets.formats.icon_recipes import RECIPES
from core.datasets.io.roots import allowed_roots, check_path
from core.errors import ImagesMissing, PathRefused, TailscopeError, UnknownName, UnreadableData
from tests.pictures import encoded, write_tar, write_tree

HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "/",
    "//",
    "~",
    "~nobody/x",
    "\0",
    "a\0b",
    "x" * 5000,
    "a/" * 3000,
    "\udc80",
    "/dev/null",
]
HOSTILE += [
    "/dev/zero",
    "/proc/self/mem",
    "/proc/self/fd",
    "wds_",
    "wds_../../etc",
    "wds_..",
    "wds/../..",
    "letitwag/",
    "\n",
]


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory):
    """An empty working directory, so that odd relative paths meet no files."""
    before = Path.cwd()
    inner = tmp_path_factory.mktemp("nowhere") / "a" / "b"
    inner.mkdir(parents=True)
    os.chdir(inner)
    yield
    os.chdir(before)


def sentences(text: str) -> list[str]:
    """What a person is told about this path, one sentence for each way of asking."""
    told = []
    for action in (open_set, check_path, lambda path: open_set(path, roots=allowed_roots(local=False))):
        try:
            action(text)
        except TailscopeError as error:
            told.append(str(error))
    return told


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.usefixtures("nowhere")
def test_hostile_paths_give_one_sentence(text, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(sentences(text)) >= 2
    with pytest.raises(TailscopeError):
        open_set(text)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=[]), max_size=60))
@pytest.mark.usefixtures("nowhere")
def test_any_text_gives_at_most_one_sentence(text):
    for sentence in sentences(text):
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in sentence)


def test_unset_roots_mean_home_on_localhost_and_nothing_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TAILSCOPE_DATA_ROOTS", raising=False)
    (tmp_path / "home" / "data").mkdir(parents=True)
    assert check_path("~/data") == (tmp_path / "home" / "data").resolve()
    with pytest.raises(PathRefused, match="TAILSCOPE_DATA_ROOTS"):
        check_path(tmp_path)
    with pytest.raises(PathRefused, match="TAILSCOPE_DATA_ROOTS"):
        check_path("~/data", local=False)
    assert allowed_roots(local=False) == ()


def test_set_roots_count_everywhere_and_links_do_not_escape(monkeypatch, tmp_path):
    for name in ("one", "two", "twofold"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "door").symlink_to(tmp_path / "twofold")
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")]))
    assert check_path(tmp_path / "two", local=False) == (tmp_path / "two").resolve()
    for path in ("twofold", "one/door", "one/../twofold", "two/../.."):
        with pytest.raises(PathRefused, match="outside"):
            check_path(tmp_path / path)
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", "")
    with pytest.raises(PathRefused, match=r"\(none\)"):
        check_path(Path.home())


def test_a_refusal_does_not_tell_what_exists(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(PathRefused):
            open_set(path, roots=[tmp_path / "served"])


def test_unknown_names_come_with_advice():
    with pytest.raises(UnknownName, match="Did you mean icons-tail"):
        open_set("icons-tial")
    with pytest.raises(ImagesMissing, match="python -m core fetch set letitwag"):
        open_set("letitwag")
    with pytest.raises(ImagesMissing, match="python -m core fetch set wds_vtab-cifar10"):
        open_set("wds_vtab-cifar10")
    with pytest.raises(ImagesMissing, match="not on this disk"):
        open_set("wds/vtab/cifar10")


def test_fetched_sets_are_opened_and_listed_by_id(tmp_cache):
    write_tree(tmp_cache / "sets" / "letitwag", {"A310/1.jpg": encoded(), "provenance.json": "{}"})
    write_tree(tmp_cache / "sets" / "wds_x", {"readme": "an unfinished or foreign folder"})
    write_tree(tmp_cache / "sets" / ".partial", {"letitwag/data/A/1.jpg": encoded()})
    found = open_set("letitwag")
    assert found.id == "letitwag"
    assert found.keys == ["A310"]
    listed = {info.id: info for info in list_sets()}
    assert list(listed) == [*RECIPES, "letitwag", "wds_x"]
    assert (listed["icons"].available, listed["icons"].n_images, listed["icons"].n_classes) == (True, 11_720, 586)
    assert (listed["letitwag"].available, listed["letitwag"].n_images) == (True, 1)
    assert not listed["wds_x"].available
    assert "no image set" in listed["wds_x"].note


def test_a_fetched_set_may_not_lead_out_of_its_folder(tmp_cache, tmp_path):
    write_tree(tmp_path / "private", {"1.png": encoded()})
    folder = write_tree(tmp_cache / "sets" / "letitwag", {"A310/1.jpg": encoded()})
    (folder / "A310" / "2.png").symlink_to(tmp_path / "private" / "1.png")
    assert open_set("letitwag").image_ids == ["A310/1.jpg"]


def test_before_it_is_fetched_letitwag_is_listed_with_its_command():
    info = list_sets()[-1]
    assert (info.id, info.available, info.n_images, info.n_classes) == ("letitwag", False, None, 290)
    assert "python -m core fetch set letitwag" in info.note


def test_the_root_of_the_file_system_is_no_set():
    with pytest.raises(UnreadableData, match="root of the file system"):
        open_set("/")


def test_text_files_of_a_set_may_not_be_links_out_of_the_served_folders(tmp_path):
    secret = write_tree(
        tmp_path / "private", {"secret.txt": "first secret\nsecond secret\n", "s.csv": "path,label\nx,y\n"}
    )
    served = tmp_path / "served"
    folders = write_tree(served / "folders", {"class_1/1.png": encoded(), "class_2/1.png": encoded()})
    tars = write_tar(served / "tars" / "test" / "0.tar", {"x.cls": "1", "x.png": encoded()}).parent.parent
    tables = write_tree(served / "tables", {"1.png": encoded()})
    (folders / "names.txt").symlink_to(secret / "secret.txt")
    (tars / "classnames.txt").symlink_to(secret / "secret.txt")
    (tables / "metadata.csv").symlink_to(secret / "s.csv")
    roots = [served.resolve()]
    assert open_set(folders).names == ["first secret", "second secret"]
    assert open_set(folders, roots=roots).names == ["class 1", "class 2"]
    assert open_set(tars).keys == ["first secret", "second secret"]
    assert open_set(tars, roots=roots).keys == ["1"]
    for action in (
        lambda: open_set(tables, roots=roots),
        lambda: open_set(folders, roots=roots, names=secret / "secret.txt"),
    ):
        with pytest.raises(PathRefused, match="outside"):
            action()
