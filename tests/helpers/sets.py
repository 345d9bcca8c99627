"""Image sets in other people's layouts, written for tests."""

from __future__ import annotations

import json
from pathlib import Path

from core.types import ImageSet
from tests.pictures import encoded, write_tar, write_tree


def reasons(image_set: ImageSet) -> dict[str, str]:
    """Why each item of a set was skipped."""
    return {item.item: item.reason for item in image_set.left_out}


def benchmark(root: Path, *, per_shard: int = 3, shards: int = 12, classes: int = 4) -> Path:
    """A set as CLIP_benchmark exports it: red counts the pictures, the label is the number modulo ``classes``."""
    number = 0
    for shard in range(shards):
        members = {}
        for _ in range(per_shard):
            members[f"s{number:07d}.cls"] = str(number % classes)
            members[f"s{number:07d}.webp"] = encoded((number, 0, 0), form="PNG")
            number += 1
        write_tar(root / "test" / f"{shard}.tar", members)
    write_tree(
        root,
        {
            "test/nshards.txt": f"{shards}\n",
            "classnames.txt": "".join(f"class {label}\n" for label in range(classes)),
            "zeroshot_classification_templates.txt": "a photo of a {c}.\nart of {}\nno slot\n",
        },
    )
    return root


def vid_tree(root: Path, **changes: object) -> Path:
    """Two videos: the first anchor has two neighbours, the second is listed with a frame that is not there."""
    frames = ["val/v1/000010.JPEG", "val/v1/000008.JPEG", "val/v1/000012.JPEG", "val/v2/000005.JPEG"]
    lists = {
        "metadata/pmsets.json": {frames[0]: frames[1:3], frames[3]: ["val/v2/000006.JPEG"]},
        "metadata/labels.json": {**{frame: [1] for frame in frames}, frames[2]: [0, 2], "val/v2/000006.JPEG": [1]},
        "misc/imagenet_vid_class_index.json": {"0": ["n1", "airplane"], "1": ["n2", "sea_fish"], "2": ["n3", "bear"]},
        "metadata/rev_class_idx_map.json": {"0": [404], "1": [0, 1], "2": [294, 295]},
        **changes,
    }
    files = {name: json.dumps(value) for name, value in lists.items() if value is not None}
    return write_tree(root, {**dict.fromkeys(frames, encoded()), **files})
