"""Cores of this process, not of its host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from core.errors import BadInput
from core.models import loading
from core.runtime import machine
from tests import tiny


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("300000 100000", 3), ("50000 100000", 1), ("6400000 100000", 8), ("nonsense", 8)],
)
def test_cores_respect_affinity_and_quota(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    monkeypatch.setattr(Path, "read_text", lambda _path, encoding: quota)
    machine.cores.cache_clear()
    try:
        assert machine.cores() == expected
    finally:
        machine.cores.cache_clear()


@pytest.mark.parametrize(
    ("cores", "threads", "asked", "expected"),
    [(2, 64, None, [2]), (8, 4, None, []), (2, 64, "64", [])],
    ids=["the host has more", "a person set fewer", "a person asked for them"],
)
def test_torch_uses_no_more_threads_than_there_are_cores(monkeypatch, cores, threads, asked, expected):
    calls: list[int] = []
    monkeypatch.setattr(loading, "cores", lambda: cores)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(torch, "set_num_threads", calls.append)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    loading._respect_cores()
    assert calls == expected


@pytest.mark.parametrize(("asked", "expected"), [(None, 8), ("3", 3), ("2,1", 2), ("0", 8), ("many", 8)])
def test_a_computation_takes_the_threads_that_a_person_asked_for_else_every_core(monkeypatch, asked, expected):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert machine.threads() == expected


def test_a_fleet_settles_what_auto_means(monkeypatch):
    assert machine.settled_precision("auto") == "auto"
    monkeypatch.setenv("TAILSCOPE_PRECISION", "bf16")
    assert machine.settled_precision("auto") == "bf16"
    assert machine.settled_precision("float32") == "float32"
    monkeypatch.setenv("TAILSCOPE_PRECISION", "float16")
    with pytest.raises(BadInput, match="TAILSCOPE_PRECISION is 'float16'; it can be auto, float32, bf16, fp16"):
        machine.settled_precision("auto")


def test_the_settled_precision_is_that_of_the_model(monkeypatch, tmp_path):
    folder = tiny.save(tmp_path / "model")
    monkeypatch.setenv("TAILSCOPE_PRECISION", "bf16")
    assert loading.load(f"local-dir:{folder}", device="cpu").precision == "bf16"
    assert loading.load(f"local-dir:{folder}", device="cpu", precision="float32").precision == "float32"
