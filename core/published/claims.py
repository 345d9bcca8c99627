"""What the paper's text says beside what the released files give: every claim by id, recomputed when asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from core.errors import UnknownName
from core.published import claims_curves, claims_sets
from core.published.stated import Claim
from core.published.store import Store, open_store

CLAIMS: dict[str, Callable[[Store], Claim]] = {
    "log-linear": claims_curves.log_linear,
    "decades": claims_curves.table_6,
    "zeros": claims_curves.zeros,
    "iqr": claims_curves.iqr,
    "dips": claims_curves.dips,
    "text-to-image": claims_curves.text_to_image,
    "correlations": claims_sets.table_4,
    "misalignment": claims_sets.table_3,
    "let-it-wag": claims_sets.let_it_wag,
    "table-9": claims_sets.table_9,
    "vocabulary": claims_sets.vocabulary,
}


def check(claim: str) -> Claim:
    """Recompute one claim; raises UnknownName, or NotHere when the release (or the part it needs) is not on disk."""
    if claim not in CLAIMS:
        raise UnknownName(f"There is no claim “{claim}”. There are {', '.join(CLAIMS)}.")
    return _check(open_store(), claim)


@lru_cache(maxsize=32)
def _check(store: Store, claim: str) -> Claim:
    return CLAIMS[claim](store)
