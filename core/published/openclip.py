"""open_clip's own published zero-shot results: one figure for each of 121 models on 38 image sets, with its metric.

The table (``assets/published/openclip_results.parquet``) is made from ``docs/openclip_results.csv`` of that project by
``python -m core.published.openclip CSV``. Sets are called as CLIP_benchmark calls them; sizes, classes and the metric
of each set are those of the DataComp evaluation, which made the figures.
"""

from __future__ import annotations

import csv
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import UnreadableData
from core.paths import ASSETS

PATH = ASSETS / "published" / "openclip_results.parquet"
COMMIT = "29b90b8dde9125c479c0ddbab477310f665a0435"
SOURCE = (
    f"open_clip, docs/openclip_results.csv at commit {COMMIT[:7]}, "
    f"https://github.com/mlfoundations/open_clip/blob/{COMMIT}/docs/openclip_results.csv"
)
_ALIASES = {"imagenet": "imagenet1k", "imagenetval": "imagenet1k", "ilsvrc2012": "imagenet1k"}
ACCURACY, PER_CLASS = "acc1", "mean_per_class_recall"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One of the 38 sets: CLIP_benchmark's name, the column's title, images, classes (0 = none), metric."""

    set: str
    title: str
    images: int
    classes: int
    metric: str = ACCURACY


BENCHMARKS = (
    Benchmark("imagenet1k", "ImageNet 1k", 50_000, 1_000),
    Benchmark("caltech101", "Caltech-101", 6_085, 102, PER_CLASS),
    Benchmark("cifar10", "CIFAR-10", 10_000, 10),
    Benchmark("cifar100", "CIFAR-100", 10_000, 100),
    Benchmark("clevr_count_all", "CLEVR Counts", 15_000, 8),
    Benchmark("clevr_closest_object_distance", "CLEVR Distance", 15_000, 6),
    Benchmark("country211", "Country211", 21_100, 211),
    Benchmark("dtd", "Describable Textures", 1_880, 47),
    Benchmark("eurosat", "EuroSAT", 5_400, 10),
    Benchmark("fgvc_aircraft", "FGVC Aircraft", 3_333, 100, PER_CLASS),
    Benchmark("food101", "Food-101", 25_250, 101),
    Benchmark("gtsrb", "GTSRB", 12_630, 43),
    Benchmark("imagenet_sketch", "ImageNet Sketch", 50_889, 1_000),
    Benchmark("imagenetv2", "ImageNet v2", 10_000, 1_000),
    Benchmark("imagenet-a", "ImageNet-A", 7_500, 200),
    Benchmark("imagenet-o", "ImageNet-O", 2_000, 200),
    Benchmark("imagenet-r", "ImageNet-R", 30_000, 200),
    Benchmark("kitti_closest_vehicle_distance", "KITTI Vehicle Distance", 711, 4),
    Benchmark("mnist", "MNIST", 10_000, 10),
    Benchmark("objectnet", "ObjectNet", 18_574, 113),
    Benchmark("flowers", "Oxford Flowers-102", 6_149, 102, PER_CLASS),
    Benchmark("pets", "Oxford-IIIT Pet", 3_669, 37, PER_CLASS),
    Benchmark("voc2007", "Pascal VOC 2007", 14_976, 20),
    Benchmark("pcam", "PatchCamelyon", 32_768, 2),
    Benchmark("renderedsst2", "Rendered SST2", 1_821, 2),
    Benchmark("resisc45", "RESISC45", 6_300, 45),
    Benchmark("cars", "Stanford Cars", 8_041, 196),
    Benchmark("stl10", "STL-10", 8_000, 10),
    Benchmark("sun397", "SUN397", 108_754, 397),
    Benchmark("svhn", "SVHN", 26_032, 10),
    Benchmark("flickr30k", "Flickr", 31_014, 0, "mean_recall@1"),
    Benchmark("mscoco_captions", "MSCOCO", 5_000, 0, "mean_recall@1"),
    Benchmark("winogavil", "WinoGAViL", 3_563, 0, "jaccard_score_10-12"),
    Benchmark("iwildcam", "iWildCam", 42_791, 182, "F1-macro_all"),
    Benchmark("camelyon17", "Camelyon17", 85_054, 2),
    Benchmark("fmow", "FMoW", 22_108, 62, "acc_worst_region"),
    Benchmark("dollar_street", "Dollar Street", 3_503, 58, "acc_top5_wg"),
    Benchmark("geode", "GeoDE", 12_488, 40, "acc_wg"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """One model on one set: open_clip's names, and the value of the set's metric (a fraction)."""

    arch: str
    pretrained: str
    benchmark: Benchmark
    value: float


@cache
def results() -> tuple[Result, ...]:
    """Every published figure, models in the order of that project's table."""
    sets = {one.set: one for one in BENCHMARKS}
    rows = pq.read_table(PATH, columns=["arch", "pretrained", "set", "value"]).to_pylist()
    return tuple(Result(row["arch"], row["pretrained"], sets[row["set"]], row["value"]) for row in rows)


def write(path: Path, target: Path = PATH) -> int:
    """Write the table from that project's CSV file; returns the number of models.

    Raises:
        UnreadableData: a set is missing, or a value is no fraction.
    """
    columns: dict[str, list[Any]] = {"arch": [], "pretrained": [], "set": [], "metric": [], "value": []}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for one in BENCHMARKS:
            try:
                value = float(row[one.title])
            except (KeyError, ValueError) as error:
                raise UnreadableData(f"{path.name} has no figure of {row.get('name')} for {one.title}.") from error
            if not 0 <= value <= 1:
                raise UnreadableData(f"{path.name}: {value} of {row['name']} for {one.title} is no fraction.")
            for name, cell in zip(columns, (row["name"], row["pretrained"], one.set, one.metric, value), strict=True):
                columns[name].append(cell)
    table = pa.table(columns).replace_schema_metadata({"source": SOURCE, "licence": "facts and figures; see source"})
    pq.write_table(table, target, compression="zstd")
    return len(rows)


def set_name(image_set: str) -> str:
    """CLIP_benchmark's name of an image set (``imagenet1k``, ``imagenet-a``), as far as an id or path tells."""
    last = re.split(r"[/\\]", image_set.rstrip("/\\"))[-1].lower()
    known = {_plain(one.set): one.set for one in BENCHMARKS}
    plain = _plain(re.sub(r"^(wds[_/-])?(vtab[_/-])?", "", last))
    return known.get(_ALIASES.get(plain, plain), last)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1]))} models")
