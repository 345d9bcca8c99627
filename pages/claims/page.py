"""Claims: what the paper's text states beside what the released files give, each recomputed on the spot."""

from __future__ import annotations

from core.published import findings
from core.published.store import open_store
from pages.claims import parts
from pages.published import release
from pages.ui.downloads import downloads
from pages.ui.jobs import need, question
from pages.ui.text import finding, quiet

PLACE = "Claims"

store = open_store()
checked, left_out = need(question(parts.check_all, store, label="Recomputing the claims", lane="io"))
finding(PLACE, findings.claims(checked))
release.source_line()
quiet(
    "The text is that of arXiv 2404.04125v3. The authors released more than most do, and most of it reproduces "
    "exactly; where it does not, the reason is given as far as the files tell it."
)
for claim in checked:
    parts.one(claim)
for item in left_out:
    quiet(f"Not checked: {item.item}. {item.reason}")
header = ["claim", "title", "stated", "found", "verdict", "recipe"]
downloads("claims", header, [[c.id, c.title, c.stated, c.found, c.verdict, c.recipe] for c in checked])
