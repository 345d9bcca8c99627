"""A deck as one HTML file that opens anywhere without a network.

Data enters as escaped text, as ``data:`` pictures that this process encoded, and as attributes; the only scripts are
this project's own and Plotly's, and the page's content security policy names them by digest, so nothing else runs.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
from functools import cache

from PIL import Image

from core import paths
from core.deck.deck import Deck, Picture, Slide
from core.runtime.thumbnails import SIZES

ASSETS = paths.ASSETS / "deck"


def page(deck: Deck, *, presenting: bool = False) -> str:
    """The whole file.

    Args:
        presenting: open on the first slide, one at a time, instead of as a page to scroll.
    """
    scripts = [(ASSETS / "deck.js").read_text(encoding="utf-8")]
    if any(slide.figure for slide in deck.slides):
        scripts.insert(0, _plotly())
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            "style-src 'unsafe-inline'",
            f"script-src {' '.join(_digest(script) for script in scripts)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    noted = any(slide.notes for slide in deck.slides)
    slides = "\n".join(_slide(slide, number, len(deck.slides)) for number, slide in enumerate(deck.slides, start=1))
    return f"""<!doctype html>
<html lang="en"{' data-presenting=""' if presenting else ""}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{_text(deck.title)}</title>
<style>{(ASSETS / "deck.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<header class="cover"><h1>{_text(deck.title)}</h1><p class="keys">
<button type="button" id="present">Present</button>
{'<button type="button" class="plain" id="notes">Notes</button>' if noted else ""}
<span>→ next · ← back · S notes · F full screen · Esc all slides</span></p></header>
<main>
{slides}
</main>
<nav class="bar" aria-label="Slides">
<button type="button" class="plain" id="back" aria-label="Previous slide">‹</button>
<span id="place"></span>
<button type="button" class="plain" id="next" aria-label="Next slide">›</button>
{'<button type="button" class="plain" id="with-notes">Notes</button>' if noted else ""}
<button type="button" class="plain" id="full">Full screen</button>
</nav>
{"".join(f"<script>{script}</script>" for script in scripts)}
</body>
</html>
"""


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs()
    # Inside a page the parser, not JavaScript, decides where a script ends; and it turns CR into LF before the digest.
    return script.replace("</script", "<\\/script").replace("\r\n", "\n").replace("\r", "\n")


def _text(value: str) -> str:
    return html.escape(value, quote=True)


def _slide(slide: Slide, number: int, total: int) -> str:
    parts = [f"<h2>{_text(slide.title)}</h2>"]
    if slide.caption:
        parts.append(f'<p class="caption">{_text(slide.caption)}</p>')
    parts += [f'<p class="fact">{_text(fact)}</p>' for fact in slide.facts]
    shown = []
    if slide.pictures:
        alone = " alone" if len(slide.pictures) == 1 else ""
        share = 0.5 if slide.rows or slide.figure else 1.0  # what stands beside them, or on a tall screen below
        columns, rows = _grid(len(slide.pictures), width=1.9 * share, line=0.09)
        tall = _grid(len(slide.pictures), width=0.5 / share, line=0.05 / share)
        shown.append(
            f'<div class="pictures{alone}" style="--columns:{columns};--rows:{rows};'
            f'--tall-columns:{tall[0]};--tall-rows:{tall[1]}">'
            f"{''.join(map(_picture, slide.pictures))}</div>"
        )
    if slide.figure:
        shown.append(
            f'<div class="plot" role="img" aria-label="{_text(slide.title)}" data-figure="{_text(slide.figure)}"></div>'
        )
    if slide.rows:
        shown.append(_table(slide))
    if shown:
        parts.append(f'<div class="body{" beside" if len(shown) > 1 else ""}">{"".join(shown)}</div>')
    if slide.notes:
        parts.append(f'<aside class="notes" aria-label="Notes">{_text(slide.notes)}</aside>')
    parts.append(f"<footer><span>{_text(slide.origin)}</span><span>{number} / {total}</span></footer>")
    return f'<section class="slide" data-kind="{slide.kind}" id="slide-{number}">{"".join(parts)}</section>'


def _grid(n: int, *, width: float, line: float) -> tuple[int, int]:
    """Columns and rows in which n square pictures with a line of text below are largest, in units of the height."""

    def side(columns: int) -> float:
        return min(width / columns, 1 / -(-n // columns) - line)

    columns = max(range(1, n + 1), key=lambda columns: (side(columns), -columns))
    return columns, -(-n // columns)


def _picture(picture: Picture) -> str:
    source = base64.b64encode(picture.data).decode()
    mark = {True: ' class="right"', False: ' class="wrong"', None: ""}[picture.right]
    with Image.open(io.BytesIO(picture.data), formats=("WEBP",)) as opened:
        crisp = ' class="crisp"' if max(opened.size) <= SIZES[0] else ""
    sign = {True: "✓ ", False: "✗ ", None: ""}[picture.right]
    label = _text(picture.label)
    return (
        f'<figure{mark}><img{crisp} src="data:image/webp;base64,{source}" alt="{label}">'
        f"<figcaption>{sign}{label}</figcaption></figure>"
    )


def _table(slide: Slide) -> str:
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in slide.header)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in slide.rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="table">{table}<p class="cut"></p></div>'
