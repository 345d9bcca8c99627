"""Which published image sets stand on the hub as Parquet with a class for every picture, so that one class can be read.

Columns, splits and class names are those of the data sets' cards on the hub. A copy that has changed since is a
sentence (``DownloadFailed``), and a class name that matches no concept of the release is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml
from huggingface_hub import DatasetCard

from core.downloads import hub, parquet
from core.downloads.plan import Meter
from core.downloads.ranges import RangeFile
from core.errors import DownloadFailed
from core.published.names import LET_IT_WAG, SKETCH

FOOTER = 16 << 20  # bytes of one read while only footers and labels are looked at
CONVERTED = "refs/convert/parquet"
"""The revision in which the hub keeps Parquet made from a data set that is stored otherwise."""


@dataclass(frozen=True, slots=True)
class OnHub:
    """A data set of the hub that holds the pictures of a published image set.

    Attributes:
        repository, revision: where; split: the one whose files are read, all files where none is named so.
        columns: the columns of pictures and of classes.
        gated: its pictures are given out only to people who accepted its terms.
    """

    repository: str
    split: str = "test"
    columns: parquet.Columns = parquet.PLAIN
    revision: str = "main"
    gated: bool = False


ON_HUB = {
    LET_IT_WAG: OnHub("bethgelab/Let-It-Wag", ""),
    "imagenet": OnHub("ILSVRC/imagenet-1k", "validation", gated=True),
    "cifar10": OnHub("uoft-cs/cifar10", columns=parquet.Columns("img", "label")),
    "cifar100": OnHub("uoft-cs/cifar100", columns=parquet.Columns("img", "fine_label")),
    "caltech101": OnHub("dpdl-benchmark/caltech101"),
    "caltech256": OnHub("ljnlonoljpiljm/caltech256", ""),
    "sun397": OnHub("tanganke/sun397"),
    "birdsnap": OnHub("isaacchung/birdsnap", "", parquet.Columns("image", "common")),
    "cub": OnHub("bentrevett/caltech-ucsd-birds-200-2011"),
    "dtd": OnHub("tanganke/dtd"),
    "eurosat": OnHub("tanganke/eurosat"),
    "fgvcaircraft": OnHub("Donghyun99/FGVC-Aircraft", columns=parquet.Columns("image", "variation")),
    "flowers102": OnHub("dpdl-benchmark/oxford_flowers102"),
    "food101": OnHub("ethz/food101", "validation"),
    SKETCH: OnHub("nateraw/imagenet-sketch", "", revision=CONVERTED),
    "oxfordpets": OnHub("timm/oxford-iiit-pet"),
    "stanfordcars": OnHub("tanganke/stanford_cars"),
    "ucf101": OnHub("flwrlabs/ucf101"),
    "imagenet-r": OnHub("axiong/imagenet-r", columns=parquet.Columns("image", "wnid")),
}
"""Published image set -> its copy on the hub. Country211 is there as tar files only (``fetch set wds_country211``)."""


def listed(where: OnHub) -> tuple[tuple[hub.RemoteFile, ...], hub.RemoteFile | None]:
    """The Parquet files of the set at the newest commit of its revision, and its card."""
    found = hub.files(where.repository, kind="dataset", revision=where.revision)
    tables = [file for file in found if file.path.endswith(".parquet")]
    of_split = re.compile(rf"(^|[/_-]){re.escape(where.split)}[-./]")
    files = tuple(file for file in tables if where.split and of_split.search(file.path)) or tuple(tables)
    if not files:
        raise DownloadFailed(
            f"{where.repository} holds no Parquet files any more; look on the hub for what became of it."
        )
    return files, next((file for file in found if file.path == "README.md"), None)


def survey(where: OnHub, files: Sequence[hub.RemoteFile], card: hub.RemoteFile | None, meter: Meter) -> parquet.Survey:
    """Footers and labels of the files by range requests, never pictures."""
    sources = [RangeFile(file, largest=FOOTER, advance=meter) for file in files]
    return parquet.survey(sources, names=names_of_card(card, where.columns.label), columns=where.columns)


def names_of_card(card: hub.RemoteFile | None, column: str = parquet.PLAIN.label) -> list[str]:
    """Class names that the dataset card lists for a column, for files that do not record them."""
    if card is None:
        return []
    text = hub.read_text(card)
    try:
        info = DatasetCard(text, ignore_metadata_errors=True).data.to_dict()["dataset_info"]
        features = {feature["name"]: feature for feature in info["features"]}
        names = features[column]["dtype"]["class_label"]["names"]
        return [str(names[key]) for key in sorted(names, key=int)]
    except (KeyError, TypeError, ValueError, yaml.YAMLError):
        return []
