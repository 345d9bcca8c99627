"""ImageNet-P's layout on disk, with small videos that the test writes itself; figures by the authors' own loop."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInput, ExtraMissing, UnreadableData
from core.robustness.corruptions import command, perturbation_run
from core.robustness.corruptions.command import Asked, measure_sequences
from core.robustness.corruptions.run import Plan
from core.robustness.corruptions.videos import decoded, folders_in, videos
from core.runtime.jobs import Engine
from core.supervised import ask
from core.types import Answer, silent
from tests.answers import make_answer
from tests.helpers.commands import MODEL, output
from tests.helpers.pages import opened, settled, words

av = pytest.importorskip("av")
CLASSES, FRAMES = ("n01440764", "n01443537", "n01484850"), 6
STEP = 80


def write_video(path: Path, greys: list[int], size: int = 32, codec: str = "mpeg4") -> None:
    """A video of flat grey frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as video:
        stream = video.add_stream(codec, rate=10)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for grey in greys:
            frame = av.VideoFrame.from_ndarray(np.full((size, size, 3), grey, np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Two perturbations of four sequences; which of three classes each frame's grey stands for, int [4, frames]."""
    rng, root = np.random.default_rng(4), tmp_path / "imagenet-p"
    shown = {name: rng.integers(0, 3, (4, FRAMES)) for name in ("gaussian_noise", "tilt")}
    for name, steps in shown.items():
        folder = root / ("noise/gaussian_noise" if name == "gaussian_noise" else name)
        for place, row in enumerate(steps):
            file = folder / CLASSES[place % 3] / f"ILSVRC2012_val_{place}.mp4"
            write_video(file, [40 + STEP * int(step) for step in row])
    write_video(root / "tilt" / CLASSES[0] / "only_here.mp4", [0] * FRAMES)
    return root, shown


def by_grey(model, view, *, prompts="simple", report=silent) -> Answer:
    """The class that a frame's grey stands for; the reference always says the first."""
    said = [round((np.asarray(view.image(i)).mean() - 40) / STEP) for i in range(len(view.labels))]
    said = said if model == MODEL else [0, 1] * (len(said) // 2)
    answer = make_answer(view.labels.tolist(), said, keys=view.keys)
    return answer


def flip_prob(predictions: np.ndarray, noise: bool) -> float:
    """As in hendrycks/robustness, ImageNet-P/test.py, at difficulty 1."""
    result = 0.0
    for video in predictions:
        previous, flips = video[0], []
        for predicted in video[1:]:
            flips.append(previous != predicted)
            if not noise:
                previous = predicted
        result += np.mean(flips) / len(predictions)
    return float(result)


def test_flip_probability_and_rate_are_the_authors(
    tree: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, shown = tree
    assert list(folders_in(root)) == ["gaussian_noise", "tilt"]
    monkeypatch.setattr(ask, "answer_for", by_grey)
    asked = Asked(models=(MODEL,), image_set=str(root), plan=Plan(), reference="icon-ViT,icons-200k", sequences=4)
    found = {one.condition: one for one in measure_sequences(asked, report=silent)}
    alternating = np.tile([0, 1], (4, FRAMES // 2))
    # Files in order of class and name; the fourth sequence is of the first class again.
    order = [0, 3, 1, 2]
    rates = []
    for name, noise in (("gaussian_noise", True), ("tilt", False)):
        own, theirs = flip_prob(shown[name][order], noise), flip_prob(alternating, noise)
        row = found[f"{name} sequence"]
        assert row.more["flip"] == pytest.approx(own)
        assert row.more["flip_rate"] == pytest.approx(100 * own / theirs)
        assert (row.n, row.more["frames"], row.more["source"]) == (4, FRAMES, "ImageNet-P's videos")
        assert row.acc1 == pytest.approx((shown[name][order] == np.array([[0], [0], [1], [2]])).mean())
        rates.append(100 * own / theirs)
    assert found[perturbation_run.ALL].more["mfr"] == pytest.approx(np.mean(rates))
    assert found[perturbation_run.ALL].more["mfp"] == pytest.approx(
        np.mean([found[f"{name} sequence"].more["flip"] for name in shown])
    )
    (only, _) = measure_sequences(Asked(models=(MODEL,), image_set=str(root), plan=Plan(), sequences=3,
                                        perturbations=("tilt",)), report=silent)  # fmt: skip
    assert (only.condition, only.n, only.more.get("flip_rate")) == ("tilt sequence", 3, None)


def test_a_broken_video_is_skipped_and_the_command_reads_the_rest(tree: tuple[Path, dict[str, np.ndarray]]) -> None:
    root, _ = tree
    broken = root / "tilt" / CLASSES[1] / "ILSVRC2012_val_1.mp4"
    broken.write_bytes(broken.read_bytes()[:700])
    write_video(root / "tilt" / CLASSES[2] / "ILSVRC2012_val_2.mp4", [9] * (FRAMES - 2))
    rows = output("robustness", "sequences", MODEL, str(root), "--prompts", "simple")
    tilt = next(row for row in rows if row["condition"] == "tilt sequence")
    assert (tilt["n"], tilt["skipped_sequences"], tilt["frames"]) == (2, 2, FRAMES)
    assert 0 <= tilt["flip"] <= 1
    with pytest.raises(BadInput, match="holds no videos of snow"):
        videos(root, perturbations=("snow",))


@pytest.mark.parametrize("what", ["text", "large frames", "many frames", "another codec", "another container"])
def test_what_is_no_such_video_is_refused(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.mp4"
    if what == "text":
        file.write_text("#EXTM3U\nfile:///etc/passwd\n")
    elif what == "another container":
        with av.open(str(file), "w", format="avi") as video:
            stream = video.add_stream("mpeg4", rate=10)
            stream.width = stream.height = 32
            for packet in [*stream.encode(av.VideoFrame(32, 32, "yuv420p")), *stream.encode()]:
                video.mux(packet)
    else:
        if what != "another codec":
            bound = "MOST_PIXELS" if what == "large frames" else "MOST_FRAMES"
            monkeypatch.setattr(f"core.robustness.corruptions.videos.{bound}", 5)
        write_video(file, [3] * 7, size=64, codec="libx265" if what == "another codec" else "mpeg4")
    with pytest.raises(UnreadableData):
        decoded(file)


def test_without_the_package_the_command_is_named(
    tree: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    asked = Asked(models=(MODEL,), image_set=str(tree[0]), plan=Plan())
    with pytest.raises(ExtraMissing, match="pip install av"):
        command.measure_sequences(asked, report=silent)


def test_the_page_shows_a_video_and_measures_a_sample(
    tree: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch, page_engine: Engine
) -> None:
    root, shown = tree
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(root.parent))
    monkeypatch.setattr(ask, "answer_for", by_grey)
    query = {"corruption-view": "sequences", "frames-from": "ImageNet-P's files", "imagenet-p": str(root)}
    app = opened("corruptions", **query)
    assert not app.exception
    n = int((shown["gaussian_noise"][0, 1:] != shown["gaussian_noise"][0, 0]).sum())
    assert f"flips {n} times in {FRAMES - 1} steps" in words(app)
    app.button(key="videos-measure").click().run()
    settled(app)
    assert not app.exception
    order = [0, 3, 1, 2]
    mfp = np.mean([flip_prob(shown[name][order], noise) for name, noise in (("gaussian_noise", True), ("tilt", False))])
    assert f"flips at {100 * mfp:.1f} % of the steps (mFP), over 4 videos of each of 2 perturbations" in words(app)
