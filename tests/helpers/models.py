"""What tests ask of the models on this disk."""

from __future__ import annotations

from core.errors import UnreadableData, WeightsMissing
from core.models import registry


def is_available(model_id: str) -> bool:
    """Whether the weights of a canonical model are on this disk."""
    try:
        return bool(registry.find(model_id))
    except (WeightsMissing, UnreadableData):
        return False
