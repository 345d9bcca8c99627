"""Columns and types of the Parquet tables that an import writes; ``core.published.store`` says what they hold."""

from __future__ import annotations

import pyarrow as pa

_WORD = pa.dictionary(pa.int32(), pa.string())
TABLES = {
    "units": pa.schema([("unit", pa.int32()), ("dataset", _WORD), ("concept", pa.string())]),
    "counts": pa.schema(
        [
            ("pretraining", _WORD), ("method", _WORD),
            ("unit", pa.int32()), ("position", pa.int32()), ("count", pa.int64()),
        ]
    ),
    "scores": pa.schema(
        [
            ("family", _WORD), ("condition", _WORD), ("model", _WORD), ("pretraining", _WORD),
            ("unit", pa.int32()), ("value", pa.float64()), ("n", pa.int32()),
        ]
    ),
    "totals": pa.schema(
        [
            ("family", _WORD), ("dataset", _WORD), ("condition", _WORD), ("model", _WORD), ("pretraining", _WORD),
            ("score", pa.float64()), ("concepts", pa.int32()),
        ]
    ),
    "files": pa.schema(
        [
            ("dataset", _WORD), ("pretraining", _WORD), ("method", _WORD),
            ("concepts", pa.int32()), ("expected", pa.int32()), ("truncated", pa.bool_()),
        ]
    ),
    "misalignment": pa.schema(
        [("pretraining", _WORD), ("pairs", pa.int64()), ("extracted", pa.float64()), ("fixed", pa.float64())]
    ),
}  # fmt: skip
