"""Fixtures shared by all tests: a cache of their own, no network, and pages whose jobs end with the test."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers import llm
from tests.hub import StandIn, serve

if TYPE_CHECKING:
    from core.runtime.jobs import Engine
    from core.types import ImageSet

# One thread a process, also in those that tests start: pytest-xdist spreads the tests over the cores, and threads that
# wait for each other on a busy machine take minutes for seconds. Read when numpy and torch load, so set before either.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# An example may take as long as it takes: how long says more about the machine than about the code.
settings.register_profile("tailscope", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tailscope")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core that may be used, and one more where tests wait for a browser; up to eight, since each
    loads torch.
    """
    from core.runtime.machine import cores

    return min(8, cores() + ("not browser" not in config.option.markexpr))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a browser first, since they mostly wait, then those with most slow tests: the last are short."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (not item.get_closest_marker("browser"), -slow[item.path]))


@pytest.fixture(autouse=True)
def tmp_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test gets an empty cache folder and an offline hub."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TAILSCOPE_CACHE", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


def short(*_: object, image_set: ImageSet | None = None, report: object = None, **__: object) -> None:
    """An estimate of work that is not worth a word."""


@pytest.fixture
def page_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """For tests of pages: an engine of the test's own, empty page caches, no reading in the background.

    The jobs end with the test: none may go on under the next one's cache folder and stand-ins.
    """
    import streamlit as st

    from core.runtime import jobs as engine

    own = engine.Engine()
    monkeypatch.setattr(engine, "_ENGINE", own)
    monkeypatch.setattr("pages.ui.lensbar.read_models", lambda: None)
    for where in (
        "core.evaluation.looks",
        "core.robustness.corruptions.run",
        "core.supervised.ask",
        "pages.attacks.shared",
    ):
        monkeypatch.setattr(f"{where}.estimate", short)  # which would load the model
    st.cache_resource.clear()
    yield own
    assert own.close(patience=300), "a job outlives its test"


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small release in the grammar of the published one, and a cache that it was imported into; only to be read."""
    from core.published.importer import import_release
    from tests import published_release

    root = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAILSCOPE_CACHE", str(root / "cache"))
        release = published_release.write(root / "release")
        import_release(release)
    return release, root / "cache"


@pytest.fixture
def release(imported: tuple[Path, Path], tmp_cache: Path) -> Path:
    """The folder of the small release, imported into the cache of this test."""
    shutil.copytree(imported[1], tmp_cache)
    return imported[0]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[llm.StandIn]:
    """A language model on loopback, no key for it, and no long wait between tries."""
    monkeypatch.setattr("core.prompts.generate.endpoint._LONGEST_WAIT", 0.01)
    for name in ("TAILSCOPE_LLM_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with llm.serve() as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A running hub that huggingface_hub was told to use, with empty caches."""
    from huggingface_hub import constants

    from core.downloads import hub

    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(hub, "PAUSE", 0.001)
    with serve() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        template = f"{running.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of freshly drawn icons, from the commonest to the rarest concepts."""
    from tests.helpers.commands import draw_folder

    return draw_folder(tmp_path_factory.mktemp("icons"))


@pytest.fixture(scope="session", autouse=True)
def settings_of_the_repository() -> None:
    """Streamlit reads its settings once, from the folder that is current then: before any test goes elsewhere."""
    from streamlit import config

    config.get_config_options()
