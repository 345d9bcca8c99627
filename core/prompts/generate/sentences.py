"""Where a sentence ends: abbreviations, initials, numbers and ellipses end none."""

from __future__ import annotations

import re
from collections.abc import Iterator

ENDS = ".!?。！？…"
QUOTES = "\"'“”‘’«»„「」『』`"
_WHOLE = re.compile(r"[\"“„«「『'‘]([^\"“”„«»「」『』]+)[\"”“»」』'’]([.!?]?)")


def unquoted(text: str) -> str:
    """A text without the quotes around all of it, and without one whose partner is not in it."""
    text = text.strip("*_ ")
    if whole := _WHOLE.fullmatch(text):
        text = whole[1].strip() + (whole[2] if whole[1].rstrip()[-1:] not in ENDS else "")
    if sum(text.count(mark) for mark in '"“”„«»') % 2:
        text = text[1:] if text[0] in '"“„«' else text[:-1] if text[-1] in '"”»' else text
    return text.strip()


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Never the end of a sentence: titles and the like, which something always follows.
_BEFORE = _words("""
    st ste mt mr mrs ms dr prof rev hon gov sen rep pres gen col lt sgt capt cmdr maj fr vs cf viz ca approx
    e.g i.e eg ie subsp ssp var aff nr incl excl esp
""")
# The end only where a new sentence starts after them.
_EITHER = _words("""
    etc inc ltd co corp jr sr esq al sp spp vol pp ft lb lbs oz sq cm mm km kg hr hrs min sec yr yrs yd mi ave
    blvd rd dept est max avg temp dia wt ht jan feb apr jun jul aug sept oct nov dec u.s u.k u.s.a u.n e.u d.c
    a.m p.m b.c a.d b.c.e c.e ph.d m.d b.a m.a bros ed eds trans univ assn hwy
""")
_STARTERS = _words("""
    a an the it its they their this that these those there he she his her we you in on at with when while some
    most many often usually typically generally both each however it's here for from if as but and or
""")
_STOP = re.compile(r"(?:[!?]+|\.{1,3}|…)[\"'”’»)\]*_]*(?=\s|$)|[。！？]+[」』”]?")


def split_sentences(text: str) -> Iterator[tuple[str, bool]]:
    """Each sentence without the quotes around it, and whether it has an end; abbreviations end none."""
    start = 0
    for stop in _STOP.finditer(text):
        if not _is_end(text[start : stop.start()], stop[0], text[stop.end() :].lstrip()):
            continue
        yield _bare(text[start : stop.end()]), True
        start = stop.end()
    if rest := _bare(text[start:]):
        yield rest, False


def _is_end(before: str, stop: str, after: str) -> bool:
    if not after:
        # "A St." as the last words is a sentence cut short, not one that ends.
        return not (stop == "." and _last_word(before) in _BEFORE)
    if stop[0] in "!?。！？":
        return stop[0] in "。！？" or not after[:1].islower()
    if stop.startswith(("..", "…")):
        return not after[:1].islower()
    word = _last_word(before)
    if not word or word in _BEFORE or not re.search(r"[^\W\d_]", before):
        return False
    if word in ("no", "nos", "fig", "figs", "eq"):
        return not after[0].isdigit()
    if word in _EITHER or re.search(r"\d\s*in$", before) or re.fullmatch(r"[a-z]|(?:[a-z]\.)+[a-z]", word):
        return after[:1].isupper() and re.split(r"\W", after, maxsplit=1)[0].lower() in _STARTERS
    return True


def _last_word(before: str) -> str:
    words = before.split()
    return words[-1].strip(f"{QUOTES}()[]*").lower() if words else ""


def _bare(sentence: str) -> str:
    sentence = unquoted(sentence.strip().lstrip("*_-•–— "))
    # A bracket or quote that was opened outside.
    return sentence.removesuffix(")") if sentence.count(")") > sentence.count("(") else sentence
