"""How an image set shows itself in a notebook: one line, and a table of its images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from core.types import ImageSet


class Tabular:
    """Base of every implementation of ``core.types.ImageSet``."""

    def to_pandas(self: ImageSet) -> pd.DataFrame:
        """One row an image: ``image`` (its id), ``key`` and ``name`` of its class; both None where it has none."""
        import pandas as pd

        labels = np.asarray(self.labels)
        known = labels >= 0
        keys, names = ([texts[at] if ok else None for at, ok in zip(labels, known, strict=True)]
                       for texts in (self.keys, self.names))  # fmt: skip
        return pd.DataFrame({"image": list(self.image_ids), "key": keys, "name": names})

    def __repr__(self: ImageSet) -> str:
        skipped = f", {len(self.left_out):,} skipped" if self.left_out else ""
        return f"<ImageSet {self.id}: {len(self.labels):,} images of {len(self.keys):,} classes ({self.kind}){skipped}>"
