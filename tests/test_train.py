"""Training: bit-equal by seed, resumable, loadable by open_clip; corpora as their recipe says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.icons import corpus as corpora
from core.icons.concepts import COLOURS, concepts, held_out
from core.icons.training.fitting import Run
from core.icons.training.train import RUNS, TrainingData, fit, save, training_data
from tests.killed import at_every_step

TINY = Run("icon-ViT", "icons-10k", 4, batch=32)  # eight steps


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return training_data("icons-10k", limit=64)


@pytest.fixture(scope="module")
def fitted(data: TrainingData) -> tuple[torch.nn.Module, list[float]]:
    """The tiny run, trained once; only to be read."""
    return fit(TINY, data)


def _weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten().float() for value in model.state_dict().values()])


@pytest.mark.slow
def test_two_runs_are_bit_equal(data: TrainingData, fitted: tuple[torch.nn.Module, list[float]]) -> None:
    (first, losses), (second, again) = fitted, fit(TINY, data)
    assert len(losses) == 8
    assert losses == again
    assert torch.equal(_weights(first), _weights(second))


@pytest.mark.slow
def test_a_stopped_run_ends_as_if_it_had_not_been_stopped(
    data: TrainingData, fitted: tuple[torch.nn.Module, list[float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = fitted
    monkeypatch.setattr("core.icons.training.fitting.CHECKPOINT_EVERY", 2)
    fit(TINY, data, checkpoint=tmp_path / "run.pt", stop_after=5)
    resumed, losses = fit(TINY, data, checkpoint=tmp_path / "run.pt")
    assert len(losses) == 8
    assert torch.equal(_weights(whole), _weights(resumed))


@pytest.mark.slow
def test_a_run_killed_while_it_saves_leaves_whole_files(tmp_path: Path) -> None:
    prepare = f"""
import torch, safetensors.torch
from pathlib import Path
from core.icons.training.fitting import Run, save_run
state, run = {{"table": torch.ones(1000, 8)}}, Run("icon-ViT", "icons-10k", 1)
folder = Path({str(tmp_path)!r}) / "model"
"""
    code = "save_run(folder, 'model.safetensors', state, 'name', run, [1.0], seconds=1, command='')"
    for _ in at_every_step(code, prepare=prepare):
        for file in tmp_path.glob("model/*.safetensors"):
            assert torch.equal(load_file(file)["table"], torch.ones(1000, 8).half())
    assert {file.name for file in (tmp_path / "model").iterdir()} == {"model.safetensors", "card.json"}


@pytest.mark.slow
def test_a_saved_model_loads_through_open_clip(
    data: TrainingData, fitted: tuple[torch.nn.Module, list[float]], tmp_path: Path
) -> None:
    import open_clip

    model, losses = fitted
    save(model, TINY, data, losses, tmp_path, seconds=1)
    loaded, _, _ = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    captions = [pair.caption for pair in corpora.corpus("icons-10k")[:8]]
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path}")(captions)
    assert tokens.shape[1] >= 40
    compact = torch.from_numpy(np.searchsorted(data.vocabulary, tokens.numpy()))
    with torch.no_grad():
        theirs = loaded.eval().encode_text(tokens, normalize=True)
        ours = model.encode_text(compact, normalize=True)
    assert (theirs * ours).sum(1).min() > 0.999
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["steps"] == 8
    assert card["run"]["seed"] == 0


def test_counts_follow_the_recipe() -> None:
    counts = corpora.zipf_counts(len(concepts()), total=corpora.LARGEST)
    assert counts.sum() == corpora.LARGEST
    assert counts[0] > 10_000
    assert 1 <= counts[-1] <= 3
    assert (np.diff(counts) <= 0).all()


def test_no_corpus_holds_a_held_out_pair_and_smaller_ones_are_prefixes() -> None:
    share = len(held_out()) / (len(COLOURS) * len(concepts()))
    assert 0.14 < share < 0.16
    small = corpora.corpus("icons-10k")
    assert not {(pair.drawing.colour, pair.drawing.key) for pair in small} & held_out()
    drawn = [pair.drawing.key for pair in small]
    world = concepts()
    assert drawn == [world[label].key for label in corpora.drawn_labels(0)[: len(drawn)]]


def test_there_are_two_architectures_and_three_corpus_sizes() -> None:
    assert len({run.arch for run in RUNS.values()}) >= 2
    assert len({corpora.CORPORA[run.corpus].pairs for run in RUNS.values()}) >= 3
    assert any("permuted" in run.corpus for run in RUNS.values())
