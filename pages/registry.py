"""The pages: id (its address and its folder), title, place in the navigation, and what it needs of the lens.

To add a page, make ``pages/ID/page.py`` and add one line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent

Need = Literal["model", "classes", "images", "prompts", "frequency", "concepts"]
"""What a page reads: a model; an image set for its classes alone (published scores will do) or for its pictures;
prompts; counts; a selection of concepts. The sidebar offers these and nothing else."""
CLASSES: tuple[Need, ...] = ("model", "classes", "prompts", "frequency", "concepts")
IMAGES: tuple[Need, ...] = ("model", "images", "prompts")


@dataclass(frozen=True, slots=True)
class PageInfo:
    """One page of the dashboard.

    Attributes:
        id: its address and the name of its folder.
        place: its menu in the navigation, empty for a page that stands there by itself.
    """

    id: str
    title: str
    place: str = ""
    needs: tuple[Need, ...] = ()

    @property
    def file(self) -> Path:
        """The script that draws it."""
        return HERE / self.id / "page.py"


PAGES = (
    PageInfo("overview", "Overview"),
    PageInfo("failures", "Failures", "", (*IMAGES, "frequency", "concepts")),
    PageInfo("explore", "Explore", "Concepts", CLASSES),
    PageInfo("frequency", "Frequency", "Concepts", CLASSES),
    PageInfo("tail", "Tail", "Concepts", CLASSES),
    PageInfo("lab", "Prompt lab", "Prompts", CLASSES),
    PageInfo("inspector", "Prompt inspector", "Prompts", (*IMAGES, "concepts")),
    PageInfo("sentences", "Language models", "Prompts", IMAGES),
    PageInfo("shifts", "Shifts", "Robustness", (*IMAGES, "frequency")),
    PageInfo("corruptions", "Corruptions", "Robustness", (*IMAGES, "frequency")),
    PageInfo("attacks", "Attacks", "Robustness", (*IMAGES, "frequency")),
    PageInfo("composition", "Composition", "Robustness", (*IMAGES, "frequency")),
    PageInfo("published", "Published curves", "Evidence"),
    PageInfo("letitwag", "Let It Wag!", "Evidence"),
    PageInfo("corpora", "Corpora", "Evidence"),
    PageInfo("claims", "Claims", "Evidence"),
    PageInfo("among", "Your model", "Evidence", IMAGES),
    PageInfo("data", "Models and images", "Library", ("model", "images", "prompts")),
    PageInfo("counts", "Count captions", "Library", ("model", "images", "frequency")),
    PageInfo("deck", "Deck", "Library"),
)
ONCE_SHARED = ("by", "class", "flag", "hide", "of", "on", "origin", "score", "search", "view")
"""Names that several pages had in their addresses; each page's is now ``page-name``."""
HOME = PAGES[0]
"""The page of the bare address."""
_BY_ID = {page.id: page for page in PAGES}


def find(id: str) -> PageInfo:
    """The page of this id."""
    return _BY_ID[id]
