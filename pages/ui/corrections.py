"""Class names that a person corrected here, kept beside the cache; a person's own folder stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cache import CacheError, kept, keys
from core.faults import writing
from pages.ui.text import toast


def of(id: str) -> dict[str, str]:
    """Class names that a person corrected for this set: class key -> name."""
    try:
        found = kept.read(file_of(id))
    except (CacheError, OSError) as error:
        toast(f"The corrected names of {id} are lost: {error}")
        return {}
    return found["names"] if found else {}


def keep(id: str, names: Mapping[str, str]) -> None:
    """Keep corrected class names where nothing is evicted; the set's own folder is never written to.

    Raises:
        StorageFault: the disk refuses.
    """
    file = file_of(id)
    with writing(file.parent):
        kept.write(file, {"set": id, "names": dict(names)})


def file_of(id: str) -> Path:
    """Where they are kept."""
    return kept.place("names", keys.digest(id))
