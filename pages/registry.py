"""The pages: id (its address and its folder), title, group in the navigation, and whether it works on concepts.

To add a page, make ``pages/ID/page.py`` and add one line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class PageInfo:
    """One page of the dashboard.

    Attributes:
        id: its address and the name of its folder.
        concepts: whether the sidebar offers a selection of concepts.
    """

    id: str
    title: str
    group: str = ""
    concepts: bool = False

    @property
    def file(self) -> Path:
        """The script that draws it."""
        return HERE / self.id / "page.py"


PAGES = (
    PageInfo("explore", "Explore", concepts=True),
    PageInfo("frequency", "Frequency", concepts=True),
    PageInfo("tail", "Tail", concepts=True),
    PageInfo("counts", "Count captions"),
    PageInfo("data", "Data"),
    PageInfo("lab", "Prompt lab", "Prompts and failures", concepts=True),
    PageInfo("inspector", "Prompt inspector", "Prompts and failures", concepts=True),
    PageInfo("sentences", "New sentences", "Prompts and failures"),
    PageInfo("failures", "Failures", "Prompts and failures", concepts=True),
    PageInfo("deck", "Deck", "Prompts and failures"),
    PageInfo("corruptions", "Corruption studio", "Robustness"),
    PageInfo("shifts", "Shifts", "Robustness"),
    PageInfo("attacks", "Attacks", "Robustness"),
    PageInfo("composition", "Composition", "Robustness"),
    PageInfo("published", "Published curves", "Published evidence"),
    PageInfo("among", "Your model", "Published evidence"),
    PageInfo("letitwag", "Let It Wag!", "Published evidence"),
    PageInfo("corpora", "Corpora", "Published evidence"),
    PageInfo("claims", "Claims", "Published evidence"),
)
_BY_ID = {page.id: page for page in PAGES}


def find(id: str) -> PageInfo:
    """The page of this id."""
    return _BY_ID[id]
