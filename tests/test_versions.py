"""A package's version is found whatever other threads do to the module path."""

from __future__ import annotations

import sys
import threading
from importlib.metadata import PackageNotFoundError

import pytest
import torch

from core.versions import version


def test_versions_are_those_of_the_modules() -> None:
    assert torch.__version__.startswith(version("torch"))  # a build may add "+cpu"
    with pytest.raises(PackageNotFoundError):
        version("no-such-package-anywhere")


def test_a_path_that_is_edited_meanwhile_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    stop = threading.Event()

    def edit() -> None:
        while not stop.is_set():
            sys.path.insert(0, "/nowhere")
            sys.path.remove("/nowhere")

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        for _ in range(300):
            version.cache_clear()
            assert version("streamlit")
    finally:
        stop.set()
        thread.join()
