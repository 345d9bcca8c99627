"""What columns are called that hold paths, classes and splits, in tables from anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import UnreadableData

PATHS = (
    *("file_name", "filename", "filepath", "file_path", "image_path", "img_path", "path", "image_file_name"),
    *("image_filepath", "image_name", "img_name", "imagename", "photo_path", "picture_path"),
    *("image", "img", "file", "relative_path", "picture", "photo"),
)
IDS = ("image_id", "imageid", "img_id", "file_id", "photo_id", "uuid", "guid", "id", "name")
"""Columns that name a picture without the ending of its file, as competitions do."""
LABELS = (
    *("class", "class_name", "classname", "label_name", "category", "category_name", "concept", "species"),
    *("wnid", "synset", "label", "labels", "target", "cls", "y", "fine_label", "class_label", "ground_truth"),
    *("class_id", "label_id", "category_id", "target_id", "classid", "class_idx", "label_idx", "name"),
)
SPLIT_COLUMNS = ("split", "subset", "partition", "set", "fold", "usage")
_LARGEST_METADATA = 16 << 20
_LABEL_WORDS = frozenset({"class", "label", "category", "species", "breed"})


def label_columns(names: Sequence[str], *, other_than: str = "") -> list[str]:
    """The columns that are called like classes, the best first."""
    rest = [name for name in names if name != other_than]
    folded = {name.strip().casefold(): name for name in reversed(rest)}
    found = [folded[name] for name in LABELS if name in folded]
    words = [name for name in rest if name not in found and _LABEL_WORDS & set(re.split(r"[\s_\-.]+", name.casefold()))]
    return [*found, *words]


def by_name(present: Mapping[str, Any] | Sequence[str], wanted: Sequence[str]) -> str:
    """The first wanted name that is present, whatever its case; empty when there is none."""
    folded = {name.strip().casefold(): name for name in reversed(list(present))}
    return next((folded[name] for name in wanted if name in folded), "")


def class_labels(schema: Any) -> dict[str, list[str]]:
    """Class names of Hugging Face ``ClassLabel`` columns (or lists of them), from the metadata of an Arrow schema.

    UnreadableData when that metadata is larger than any list of classes.
    """
    text = (schema.metadata or {}).get(b"huggingface", b"")
    if len(text) > _LARGEST_METADATA:
        raise UnreadableData(
            f"Its metadata of {len(text):,} bytes is not read: at most {_LARGEST_METADATA >> 20} MiB are."
        )
    try:
        features = json.loads(text)["info"]["features"]
        return {name: names for name, feature in features.items() if (names := _class_names(feature))}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _class_names(feature: object) -> list[str]:
    if isinstance(feature, list) and len(feature) == 1:
        return _class_names(feature[0])
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") in ("Sequence", "List", "LargeList"):
        return _class_names(feature.get("feature"))
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list) and all(isinstance(one, str) for one in names):
        return list(names)
    return []
