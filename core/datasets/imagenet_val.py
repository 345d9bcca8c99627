"""ImageNet's validation pictures as they are released: one flat folder, and the classes in a file elsewhere.

The file is Kaggle's ``LOC_val_solution.csv``, a list of names or labels (``val.txt``, ``val_annotations.txt``), a list
of WordNet ids in the order of the pictures, the development kit's ``ILSVRC2012_validation_ground_truth.txt`` with its
``meta.mat``, or one annotation in XML for every picture.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from core.datasets.format import Opening
from core.datasets.io.picture import read_bytes, read_text
from core.datasets.io.roots import Files, problem
from core.datasets.levels import same_split
from core.datasets.listing import Listing, file_ends, fingerprint, make_listing, require_images
from core.datasets.names import imagenet_classes
from core.errors import UnreadableData
from core.text.lines import Rows, lines_of
from core.types import LeftOut

SYNSETS = "LOC_synset_mapping.txt"
KAGGLE = "LOC_val_solution.csv"
TRUTH = "ILSVRC2012_validation_ground_truth.txt"
META = "meta.mat"
_LISTS = ("val.txt", "val_labels.txt", "val_map.txt", "imagenet_val.txt", "ILSVRC2012_val.txt")
_BY_PLACE = ("imagenet_2012_validation_synset_labels.txt", "validation_synset_labels.txt", "synset_labels.txt")
_FOLDERS = ("", "val", "validation", "Data/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/val", "images", "images/val")
_MORE_FOLDERS = ("imagenet/val", "ILSVRC2012_img_val", "ILSVRC2012_val", "CLS-LOC/val")
_BESIDE = ("", "data", "devkit/data", "ILSVRC2012_devkit_t12/data", "ILSVRC2012_devkit_t12", "annotations", "meta")
_BESIDE_MORE = ("metadata", "labels", "ImageSets/CLS-LOC", "caffe_ilsvrc12")
_XML = ("Annotations/CLS-LOC/val", "ILSVRC/Annotations/CLS-LOC/val", "annotations/val", "bbox/val", "val_xml")
_PICTURE = re.compile(r"(ILSVRC2012_val_([0-9]{8}))\.(?:JPEG|jpeg|jpg|png)")
_NAME = re.compile(rb"<name>\s*(n[0-9]{8})\s*</name>")
_WNID = re.compile(r"n[0-9]{8}")
_N_CLASSES = 1000
_ABOVE = 4  # Kaggle: ILSVRC/Data/CLS-LOC/val


def flat_folder(path: Path) -> str | None:
    """Folder below ``path`` (possibly itself, empty) that holds ``ILSVRC2012_val_*.JPEG`` directly, or None."""
    for below in (*_FOLDERS, *_MORE_FOLDERS):
        try:
            with os.scandir(path / below) as entries:
                if any(_PICTURE.fullmatch(entry.name) for entry in islice(entries, 50)):
                    return below
        except OSError:
            continue
    return None


def has_truth(path: Path, below: str) -> bool:
    """Whether a file with the classes lies near the pictures."""
    return any(_files(path, below, (KAGGLE, TRUTH, *_LISTS, *_BY_PLACE))) or _annotations(path, below) is not None


def open_imagenet_val(path: Path, how: Opening) -> Listing:
    """List the validation pictures of ImageNet in their flat folder, over all 1,000 classes.

    Raises:
        UnreadableData: no file says the classes of the pictures, or it cannot be used; the message names those that
            were looked for.
    """
    below = flat_folder(path)
    if below is None:
        raise UnreadableData(f"{path} holds no pictures called ILSVRC2012_val_*.JPEG.")
    if (split := how.choices.split) and not same_split(split, "val"):
        raise UnreadableData(f"{path} holds ImageNet's validation pictures, not the split {split!r}.")
    folder = path / below
    pictures = {match[1]: entry for entry in sorted(os.listdir(folder)) if (match := _PICTURE.fullmatch(entry))}
    wnids, source = _truth(path, below, pictures, how.roots)
    known = [wnid for wnid, _ in imagenet_classes()] or sorted(set(wnids.values()))
    place = {wnid: label for label, wnid in enumerate(known)}
    files = Files(folder / "pictures", how.roots, absolute=False)
    left_out: list[LeftOut] = []
    ids, sizes, labels = [], [], []
    for stem, file in pictures.items():
        try:
            wnid = wnids.get(stem, "")
            if wnid not in place:
                raise UnreadableData(f"{wnid} is no class of ImageNet-1k" if wnid else f"{source} does not list it")
            sizes.append(files.size(file))
        except UnreadableData as error:
            left_out.append(LeftOut(file, str(error)))
        else:
            ids.append(f"{below}/{file}" if below else file)
            labels.append(place[wnid])
    require_images(ids, str(path), left_out, "Its pictures and the file with their classes must belong together.")
    label_array = np.array(labels, np.int64)
    if how.names is None and not imagenet_classes():
        how = replace(how, names=_synsets(path, below, how.roots))
    where = f" ({below}/)" if below else ""
    return make_listing(
        Listing,
        how,
        kind="imagenetval",
        keys=known,
        labels=label_array,
        image_ids=ids,
        source=lambda index: path / ids[index],
        fingerprint=fingerprint(ids, np.array(sizes), label_array, known, lambda index: file_ends(path / ids[index])),
        note=[f"Detected ImageNet's validation pictures in one folder{where}, classes from {source}."],
        left_out=left_out,
    )


def _truth(
    path: Path, below: str, pictures: dict[str, str], roots: Sequence[Path] | None
) -> tuple[dict[str, str], str]:
    """WordNet id of every picture by its name without ending, and the file that says so."""
    problems: list[str] = []
    readers = ((KAGGLE,), _from_kaggle), (_LISTS, _from_list), (_BY_PLACE, _from_places), ((TRUTH,), _from_devkit)
    for wanted, read in readers:
        for file in _files(path, below, wanted):
            if problem(file, roots):
                continue  # above the folders that may be served
            try:
                found = read(file, path, below)
                if pictures.keys() & found.keys():
                    return found, file.name
                raise UnreadableData("it lists none of the pictures")
            except UnreadableData as error:
                problems.append(f"{file.name}: {str(error).rstrip('.')}")
    annotations = _annotations(path, below)
    if annotations is not None and not problem(annotations, roots):
        return _from_xml(annotations, pictures), f"{annotations.name}/*.xml"
    tried = f" {'; '.join(problems)}." if problems else ""
    raise UnreadableData(
        f"{path} holds ImageNet's validation pictures in one folder, but no file that says their classes.{tried} Put "
        f"{KAGGLE}, a val.txt of picture and label, or {TRUTH} with {META} of the development kit beside them, or "
        "sort the pictures into one folder a class."
    )


def _files(path: Path, below: str, names: Sequence[str]) -> list[Path]:
    """Files of these names in the set, beside its pictures and up to four levels above the set."""
    folder = path / below
    inside = [parent for parent in folder.parents if parent.is_relative_to(path)]
    above = [path, folder, *inside, *islice(path.parents, _ABOVE)]
    places = [place / more for place in dict.fromkeys(above) for more in (*_BESIDE, *_BESIDE_MORE)]
    return [place / name for name in names for place in places if (place / name).is_file()]


def _from_kaggle(file: Path, _path: Path, _below: str) -> dict[str, str]:
    rows = Rows(read_text(file), name=file.name)
    found = {row[0]: row[1].split()[0] for row in rows if len(row) > 1 and _WNID.match(row[1])}
    if not found:
        raise UnreadableData("it has no rows of a picture and a WordNet id")
    return found


def _from_list(file: Path, _path: Path, _below: str) -> dict[str, str]:
    """Lines of a picture and a WordNet id, or its place 0 to 999 in the order of the ids."""
    pairs = [line.replace(",", " ").split()[:2] for line in lines_of(read_text(file)) if line.strip()]
    pairs = [pair for pair in pairs if len(pair) == 2 and _stem(pair[0])]
    if not pairs:
        raise UnreadableData("it has no lines of a picture and a class")
    listed = [wnid for wnid, _ in imagenet_classes()]
    values = [value for _, value in pairs]
    if all(_WNID.fullmatch(value) for value in values):
        return {_stem(name): value for name, value in pairs}
    if not all(value.isdecimal() and int(value) < len(listed) for value in values):
        # ImageSets/CLS-LOC/val.txt counts the pictures: 1 ... 50000.
        raise UnreadableData("its second column is no WordNet id and no place from 0 to 999")
    return {_stem(name): listed[int(value)] for name, value in pairs}


def _from_places(file: Path, _path: Path, _below: str) -> dict[str, str]:
    return _numbered([line.strip() for line in lines_of(read_text(file))], "a WordNet id a line")


def _from_devkit(file: Path, path: Path, below: str) -> dict[str, str]:
    """Numbers 1 to 1000 in an order of their own, which only ``meta.mat`` tells."""
    numbers = [line.strip() for line in lines_of(read_text(file))]
    meta = next((found for found in _files(path, below, (META,)) if found.is_relative_to(file.parent)), None)
    if meta is None:
        raise UnreadableData(
            f"its numbers are the development kit's own, not the order of the WordNet ids; put {META} beside it"
        )
    by_number = _read_meta(meta)
    return _numbered([by_number.get(number, "") for number in numbers], f"a number of {META} a line")


def _numbered(wnids: Sequence[str], what: str) -> dict[str, str]:
    if not all(_WNID.fullmatch(wnid) for wnid in wnids):
        raise UnreadableData(f"it does not hold {what}")
    return {f"ILSVRC2012_val_{number:08d}": wnid for number, wnid in enumerate(wnids, 1)}


def _read_meta(file: Path) -> dict[str, str]:
    from scipy.io import loadmat

    try:
        data = io.BytesIO(read_bytes(file, limit=64 << 20))
        synsets = loadmat(data, squeeze_me=True)["synsets"]  # type: ignore[arg-type]  # its stub knows paths only
        pairs = zip(synsets["ILSVRC2012_ID"].tolist(), synsets["WNID"].tolist(), strict=True)
        return {str(int(number)): str(wnid) for number, wnid in pairs if int(number) <= _N_CLASSES}
    except Exception as error:  # loadmat raises anything at a damaged file
        raise UnreadableData(f"{file.name} is not the meta.mat of the development kit ({str(error)[:80]})") from error


def _annotations(path: Path, below: str) -> Path | None:
    inside = [parent for parent in (path / below).parents if parent.is_relative_to(path)]
    above = dict.fromkeys([path, *inside, *islice(path.parents, _ABOVE)])
    folders = [place / more for place in above for more in _XML]
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                if any(entry.name.startswith("ILSVRC2012_val_") for entry in islice(entries, 20)):
                    return folder
        except OSError:
            continue
    return None


def _from_xml(folder: Path, pictures: dict[str, str]) -> dict[str, str]:
    found = {}
    for stem in pictures:
        try:
            match = _NAME.search(read_bytes(folder / f"{stem}.xml", limit=1 << 20))
        except UnreadableData:
            continue
        if match:
            found[stem] = match[1].decode()
    return found


def _synsets(path: Path, below: str, roots: Sequence[Path] | None) -> Path | None:
    return next((file for file in _files(path, below, (SYNSETS,)) if not problem(file, roots)), None)


def _stem(name: str) -> str:
    match = _PICTURE.fullmatch(os.path.basename(name))
    return match[1] if match else os.path.basename(name) if re.fullmatch(r"ILSVRC2012_val_[0-9]{8}", name) else ""
