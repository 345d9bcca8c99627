"""ImageNet-P as it lies on disk: ``PERTURBATION/CLASS/*.mp4``, one video a sequence, read through PyAV (optional).

The authors' loader takes every frame of a video as it is, 224 x 224 pixels (hendrycks/robustness, ImageNet-P). Videos
come from outside: bytes, frames and pixels are bounded, only the MP4 container and the codecs that such files have are
opened, from memory, so that nothing a file names is read.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from core.datasets.io.roots import problem
from core.datasets.listing import file_ends, fingerprint, in_order, state_of_file
from core.datasets.names import name_classes
from core.datasets.plain import Plain
from core.errors import BadInput, ExtraMissing, UnreadableData
from core.opening import read_regular
from core.robustness.corruptions.perturbations import PERTURBATIONS
from core.robustness.corruptions.registry import words
from core.robustness.sampling import balanced_rows
from core.runtime.held import Held
from core.types import FileState, LeftOut, Report

MADE = "ImageNet-P's videos"
MOST_BYTES = 64 << 20
MOST_FRAMES = 400
MOST_PIXELS = 1 << 20
"""Of a frame."""
MOST_DECODED = 32 << 20
"""Pixels of all frames of a video together: 96 MiB as they are decoded."""
CODECS = ("h264", "mpeg4")
_GROUPS = ("noise", "blur", "weather", "digital")
_held: Held[tuple[str, int], np.ndarray] = Held(64 << 20, at_least=2)


def folders_in(root: Path) -> dict[str, Path]:
    """Perturbation -> its folder, of the ten that mFP averages; empty when this is no such tree.

    Folders named after the downloads (``noise/gaussian_noise``) are looked into as well.
    """
    tops = [root, *(root / group for group in _GROUPS)]
    found = {name: top / name for name in PERTURBATIONS for top in tops[::-1] if (top / name).is_dir()}
    return {name: folder for name, folder in found.items() if next(folder.glob("*/*.mp4"), None)}


def decoded(path: Path) -> np.ndarray:
    """All frames of a video, uint8 [frames, h, w, 3]; those used last are kept in memory.

    Raises:
        ExtraMissing: PyAV is not installed. UnreadableData: the file is no such video, or a larger one than allowed.
    """
    key = (str(path), path.stat().st_mtime_ns if path.exists() else 0)
    if (known := _held.get(key)) is None:
        known = _decode(path)
        _held.put(key, known, known.nbytes)
    return known


def _decode(path: Path) -> np.ndarray:
    av = _av()
    data = read_regular(path, limit=MOST_BYTES, name=path.name)
    frames: list[np.ndarray] = []
    try:
        with av.open(io.BytesIO(data), format="mp4", metadata_errors="replace") as video:
            stream = next(iter(video.streams.video), None)
            if stream is None or stream.codec_context.name not in CODECS:
                raise UnreadableData(f"{path.name} holds no video in {' or '.join(CODECS)}.")
            if not 0 < stream.width * stream.height <= MOST_PIXELS:
                raise UnreadableData(f"{path.name}: frames of more than {MOST_PIXELS:,} pixels are not read.")
            for frame in video.decode(stream):
                if (frame.width, frame.height) != (stream.width, stream.height):
                    raise UnreadableData(f"{path.name} has frames of several sizes.")
                if len(frames) == min(MOST_FRAMES, MOST_DECODED // (stream.width * stream.height)):
                    raise UnreadableData(f"{path.name} has more than the {len(frames)} frames that are read.")
                frames.append(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, EOFError, ValueError, MemoryError) as error:
        raise UnreadableData(f"{path.name} cannot be decoded: {str(error)[:120]}.") from error
    if not frames:
        raise UnreadableData(f"{path.name} holds no frame.")
    return np.stack(frames)


def _av() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise ExtraMissing(
            "The videos of ImageNet-P need the optional package PyAV. Install it with: pip install av"
        ) from error
    return av


@dataclass(frozen=True, eq=False)
class Videos:
    """The same sequences under several perturbations.

    Attributes:
        folders: perturbation -> folder; files: [s], ``CLASS/NAME.mp4``, present under all of them.
        keys, names: of the classes; labels: int64 [s].
    """

    root: Path
    folders: Mapping[str, Path]
    files: tuple[str, ...]
    keys: tuple[str, ...]
    names: tuple[str, ...]
    labels: np.ndarray

    def view(self, perturbation: str) -> FrameSet:
        """All frames of these sequences under one perturbation, sequence after sequence, as an image set."""
        return FrameSet(self, perturbation)

    def only(self, place: int) -> Videos:
        """One of the sequences."""
        one = slice(place, place + 1)
        return Videos(self.root, self.folders, self.files[one], self.keys, self.names, self.labels[one])


def videos(
    root: Path,
    *,
    perturbations: Sequence[str] = (),
    most: int | None = None,
    seed: int = 0,
    roots: Sequence[Path] | None = None,
) -> Videos:
    """The videos of a tree, or ``most`` of them, spread evenly over the classes by the seed.

    Args:
        perturbations: only these; all that are there by default. roots: folders that may be read, None for any.

    Raises:
        BadInput: the tree does not hold these perturbations. UnreadableData: they have no sequence in common.
    """
    found = folders_in(root)
    folders = {name: found[name] for name in perturbations or found if name in found}
    if missing := [name for name in perturbations if name not in found] or ([] if found else ["any perturbation"]):
        raise BadInput(
            f"{root} holds no videos of {', '.join(missing)}; ImageNet-P lies in ROOT/PERTURBATION/CLASS/*.mp4."
        )
    listed = [
        {f"{file.parent.name}/{file.name}" for file in folder.glob("*/*.mp4") if not problem(file, roots)}
        for folder in folders.values()
    ]
    files = sorted(set.intersection(*listed))
    if not files:
        raise UnreadableData(f"The perturbations in {root} have no video in common; give complete folders.")
    keys = in_order({file.partition("/")[0] for file in files})
    place = {key: label for label, key in enumerate(keys)}
    labels = np.array([place[file.partition("/")[0]] for file in files], np.int64)
    rows = balanced_rows(labels, None if most is None else -(-most // len(keys)), seed=seed)
    if most is not None and len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
    names, _ = name_classes(keys)
    return Videos(root, folders, tuple(files[row] for row in rows.tolist()), tuple(keys), tuple(names), labels[rows])


class FrameSet(Plain):
    """The frames of videos under one perturbation as an ``ImageSet``; ``frames`` of each, as most of them have.

    A frame of a video that cannot be decoded, or has another number of frames, raises UnreadableData.
    """

    kind = "videos"
    has_images = True
    templates: Sequence[str] = ()
    left_out: Sequence[LeftOut] = ()

    def __init__(self, parent: Videos, perturbation: str) -> None:
        self._folder, self._files = parent.folders[perturbation], parent.files
        self.id = str(self._folder)
        self.keys, self.names = parent.keys, parent.names
        lengths = Counter(length for file in self._files if (length := _length(self._folder / file)))
        if not lengths:
            decoded(self._folder / self._files[0])  # its error says what is wrong with all of them
            raise UnreadableData(f"No video in {self._folder} tells how many frames it has.")
        self.frames = lengths.most_common(1)[0][0]
        self.labels = np.repeat(parent.labels, self.frames)
        self.image_ids = [f"{file} · frame {number}" for file in self._files for number in range(self.frames)]
        self.conditions = [f"{words(perturbation)}, frame {n}" for _ in self._files for n in range(self.frames)]
        self.note = f"{len(self._files):,} videos of {self.frames} frames."
        self._labels = parent.labels

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the videos and of how they are read."""
        paths = [self._folder / file for file in self._files]
        ids = [f"{self.frames} frames of {file}" for file in self._files]
        sizes = np.array([path.stat().st_size for path in paths], np.int64)
        return fingerprint(ids, sizes, self._labels, self.keys, lambda index: file_ends(paths[index]))

    def state(self, index: int) -> FileState | None:
        """In which state the file of this video is now."""
        file = self._folder / self._files[index // self.frames]
        return state_of_file(file, lambda: file)

    def image(self, index: int) -> Image.Image:
        """The frame at this index as RGB."""
        which, number = divmod(index, self.frames)
        found = decoded(self._folder / self._files[which])
        if len(found) != self.frames:
            raise UnreadableData(f"{self._files[which]} has {len(found)} frames, the others {self.frames}.")
        return Image.fromarray(found[number])

    def preview(self, index: int, longest: int) -> Image.Image:
        """The same: frames are small."""
        return self.image(index)

    def prepare(self, report: Report) -> None:
        """Nothing to prepare: frames are decoded as they are asked for."""

    def details(self, index: int) -> Mapping[str, Any]:
        """Which frame of which perturbation it is."""
        return {"condition": self.conditions[index]}


def _length(path: Path) -> int:
    """Frames of a video as its header tells them, zero where it cannot be opened."""
    av = _av()
    try:
        with av.open(io.BytesIO(read_regular(path, limit=MOST_BYTES)), format="mp4") as video:
            return int(next(iter(video.streams.video)).frames)
    except (av.FFmpegError, UnreadableData, EOFError, ValueError, StopIteration):
        return 0
