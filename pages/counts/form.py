"""What to count: captions with a look at their first rows, concepts, and the way of counting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from cache import keys
from cache.files import write_bytes
from core.counting import names, parts
from core.counting.places import fixed_part
from core.counting.request import MODES, Request
from core.datasets.io.addresses import is_url
from core.datasets.io.roots import VARIABLE
from core.datasets.layout import stamp
from core.errors import BadInput, PathRefused
from core.frequency import counted
from core.stats.format import many
from core.text.lines import lines_of
from core.types import Report
from pages.published.choices import one_of
from pages.ui import lensbar, served
from pages.ui.jobs import is_local, may_change, need, question
from pages.ui.switches import switch
from pages.ui.text import quiet, section

HELP = {
    "text": "Captions that name the concept: words and phrases, whatever their inflection and case.",
    "text-paper": "The paper's published algorithm, for comparability; needs spaCy's language models.",
    "image": "Images whose score reaches a threshold: scores of yours, or CLIP's.",
    "integrated": "Both, joined on the sample's id.",
}
LENS, LIST = "those of the image set", "a list"
_ENDINGS = ["parquet", "csv", "tsv", "jsonl", "txt", "tar", "gz", "zst"]


def count_form() -> tuple[Request, str] | None:
    """The form; the request and the name it is to have, once there is enough to count."""
    told = "\n".join(f"- **{name}**: {text}" for name, text in HELP.items())
    mode = switch("Count by", "counts-by", MODES, default="text", help=told)
    captions, roots = ("", served.folders()) if mode == "image" else _captions()
    left, right = st.columns(2, gap="large")
    with left:
        concepts = _concepts()
    with right:
        more = _more(mode)
    if mode == "image":
        captions = more["scores"] or more["images"]
    column, id_column = _preview(captions, mode, roots) if captions and mode != "image" else ("", "")
    name = st.text_input("Name of the counts", key="count-name", max_chars=80, placeholder="my-captions")
    if not (captions and concepts and name):
        return None
    counted.check_name(name)
    asked = Request(captions, concepts, mode=mode, roots=roots, column=column, id_column=id_column, **more)
    return asked, name


def readable() -> tuple[Path, ...]:
    """Folders that a count which was begun here may read: those of the server, and what was uploaded."""
    return (*served.folders(), (keys.root() / "uploads").resolve())


def _captions() -> tuple[str, tuple[Path, ...]]:
    """The captions, and what may be read for them: of all that was uploaded, a page reads its own file only."""
    section("Captions", "Parquet, CSV, TSV, JSON lines, plain text, webdataset or img2dataset tars; also .gz and .zst.")
    left, right = st.columns([3, 2], gap="large", vertical_alignment="bottom")
    with left:
        typed = st.text_input(
            "Path or URL", key="captions", bind="query-params", placeholder="A file, folder, glob or s3:// address"
        )
    upload = None
    with right:
        if may_change():
            upload = st.file_uploader("Or upload a file", type=_ENDINGS, key="own-captions")
    if upload is None:
        return _allowed(typed), served.folders()
    saved = _saved(upload).resolve()
    return str(saved), (*served.folders(), saved)


def _allowed(typed: str | None) -> str:
    """A typed path or address; only a server that nobody else reaches opens addresses, and only those of buckets."""
    text = (typed or "").strip()
    if text and not is_url(text):
        served.path(fixed_part(text))  # before anything looks at the disk
    if not is_url(text) or text.startswith("file://"):
        return text
    if not is_local():
        raise PathRefused(
            f"A server that others can reach opens no addresses. Use the command line, or a path inside {VARIABLE}."
        )
    if not served.is_bucket(text.replace("*", "")):
        raise PathRefused("A page opens s3:// and gs:// addresses without options only; the command line opens others.")
    return text


def _saved(upload: Any) -> Path:
    """An uploaded file under a name of ours in the cache; only its ending is taken over."""
    ending = "".join(Path(upload.name).suffixes[-2:]).lower()
    if not parts.format_of(f"captions{ending}"):
        raise BadInput(f"{upload.name[:80]} does not end as a file of captions does ({', '.join(_ENDINGS)}).")
    data = upload.getvalue()
    path = keys.root() / "uploads" / f"{hashlib.sha256(data).hexdigest()[:32]}{ending}"
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_bytes(path, data)
    return path


def _look(captions: str, _state: Sequence[object], *, roots: Sequence[Path], report: Report) -> parts.Plan:
    """What the captions are, for this state of their files."""
    return parts.plan(captions, roots=roots, report=report)


def _preview(captions: str, mode: str, roots: tuple[Path, ...]) -> tuple[str, str]:
    """The first rows; the columns of captions and of ids in use, of which the guessed ones can be changed."""
    state = [] if is_url(captions) else stamp(Path(captions))
    found = need(question(_look, captions, state, roots=roots, label="Looking at the captions", lane="io"))
    columns = list(found.first)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        listed = list(dict.fromkeys([found.columns.caption, *columns]))
        column = one_of("Caption column", "caption-column", listed, width=220)
        id_column = ""
        if mode == "integrated":
            ids = [found.columns.id or "#", *columns, "#"]
            id_column = one_of(
                "Id column", "id-column", list(dict.fromkeys(ids)), width=220,
                show=lambda name: "number of the row" if name == "#" else name,
            )  # fmt: skip
    size = sum({part.place.uri: part.place.size for part in found.parts}.values())
    quiet(f"{many(found.files, 'file')}, {size / 1e6:,.1f} MB, in {many(len(found.parts), 'part')}. {found.note}")
    for item in found.left_out[:5]:
        quiet(f"Skipped: {item.item}. {item.reason}")
    first = {name: pd.Series(texts[:5], dtype=str) for name, texts in found.first.items() if texts}
    st.dataframe(pd.DataFrame(first), hide_index=True, alt="First rows of the captions")
    return column, id_column


def _concepts() -> dict[str, str]:
    source = switch("Concepts", "count-concepts", [LENS, LIST], linked=False)
    if source == LENS:
        image_set = lensbar.images()
        quiet(f"All {len(image_set.keys):,} classes of {image_set.id}.")
        return dict(zip(image_set.keys, image_set.names, strict=True))
    upload = st.file_uploader("A list (.txt, .csv, .json)", type=["txt", "csv", "json"], key="own-list")
    if upload is not None:
        return names.parse(upload.getvalue().decode("utf-8", "replace"), upload.name)
    typed = st.text_area("Or type them, one a line", key="typed-concepts", max_chars=100_000, height=110)
    lines = [line.strip() for line in lines_of(typed or "") if line.strip()]
    return names.checked({line: line for line in lines}, "The list") if lines else {}


def _more(mode: str) -> Mapping[str, Any]:
    """What only some modes need."""
    if mode == "text-paper":
        return {}
    more: dict[str, Any] = {}
    if mode != "image":
        more["window"] = st.number_input(
            "Window for phrases", 0, 50, 0, key="window", help="0: words must follow each other. Else all of them must "
            "stand within so many words, in any order.",
        )  # fmt: skip
        typed = st.text_input("Attributes to pair with", key="attributes", placeholder="red, wooden, striped")
        more["attributes"] = tuple(text.strip() for text in (typed or "").split(",") if text.strip())
    if mode in ("image", "integrated"):
        more["scores"] = _allowed(st.text_input("Score matrix (path)", key="scores", placeholder=".npy or .parquet"))
        more["thresholds"] = (float(st.number_input("Threshold", value=0.5, step=0.05, key="threshold")),)
        if not more["scores"]:
            more["model"], more["images"] = lensbar.lens().model, lensbar.lens().image_set
            quiet(f"Without one, {more['model']} scores the images of {more['images']} (cosine).")
    return more
