"""The one deck of a machine, kept in the cache folder as a project file so that it outlives the browser tab.

For a server that only its own machine can reach: whoever opens a page there is the person the folder belongs to. A
shared server keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cache import files, kept, keys
from core.deck.deck import MOST_FILE, Deck, from_json, to_json
from core.errors import UnreadableData

NAME = "deck.tailscope.json"


@dataclass(frozen=True)
class Kept:
    """The deck on the disk and the version of its file, to be compared with ``version``."""

    deck: Deck
    version: tuple[int, ...]


def place() -> Path:
    """Where the deck is kept."""
    return keys.root() / NAME


def version() -> tuple[int, ...]:
    """Changes whenever the file does, in whichever tab; empty for no file."""
    try:
        found = place().stat()
    except OSError:
        return ()
    # Each save is a new file, so that two within one tick of the clock still differ.
    return found.st_mtime_ns, found.st_ino, found.st_size


def load() -> Kept:
    """The kept deck, empty at first.

    Raises:
        UnreadableData: the file is damaged; it was renamed, so that the next deck starts afresh.
    """
    found = version()
    if not found:
        return Kept(Deck(), found)
    try:
        with place().open("rb") as file:
            return Kept(from_json(_unsealed(file.read(MOST_FILE + 1))), found)
    except (UnreadableData, ValueError) as error:
        aside = kept.set_aside(place())
        raise UnreadableData(f"The kept deck cannot be read and was set aside as {aside.name}. {error}") from None


def change(edit: Callable[[Deck], Deck], *, known: Kept | None = None) -> tuple[Deck, Kept]:
    """Replace the kept deck by what ``edit`` makes of it, one after the other among tabs and processes.

    Args:
        known: a deck that is newer than the file of its version, because an earlier one could not be written.

    Returns:
        The deck before, and as it is kept now.

    Raises:
        UnreadableData: as ``load``. OSError: the disk refuses.
    """
    with kept.lock(place()):
        before = known if known and known.version == version() else load()
        after = edit(before.deck)
        return before.deck, before if after is before.deck else Kept(after, save(after))


def _unsealed(data: bytes) -> bytes:
    """The project file in a kept deck; ValueError when it was changed. Earlier versions kept it as it is."""
    value = keys.unsealed(data, name=place().name)
    return value.encode() if isinstance(value, str) else data


def save(deck: Deck) -> tuple[int, ...]:
    """Keep this deck and return the version of its file; OSError when the disk refuses."""
    sealed = keys.sealed(to_json(deck), name=place().name)
    files.write_bytes(place(), sealed)
    return version()
