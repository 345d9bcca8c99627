"""What extensions are made of: the types and helpers that docs/EXTENDING.md uses, under names that stay."""

from core.datasets.format import Format
from core.datasets.listing import Listing, by_class, file_ends, fingerprint
from core.datasets.names import name_classes
from core.errors import BadInput, NotHere, TailscopeError, UnknownName, UnreadableData
from core.frequency.table import Provider, SourceInfo
from core.prompts.registry import Strategy
from core.robustness.attacks import Attack
from core.types import Classes, FrequencyTable, ImageSet, LeftOut, PromptSet

__all__ = [
    "Attack",
    "BadInput",
    "Classes",
    "Format",
    "FrequencyTable",
    "ImageSet",
    "LeftOut",
    "Listing",
    "NotHere",
    "PromptSet",
    "Provider",
    "SourceInfo",
    "Strategy",
    "TailscopeError",
    "UnknownName",
    "UnreadableData",
    "by_class",
    "file_ends",
    "fingerprint",
    "name_classes",
]
