"""Labelled captions for the default matcher, made from every name of ImageNet and Let It Wag!.

``data/labelled_names.csv`` holds for each name its other number (plural, or singular of a name in the plural) and words
that are near its last word but are another one. Written by ``python -m tests.labelled_names`` from sources that the
matcher does not share: numbers by inflect, checked by eye where the matcher's differ; near words from CLIP's
vocabulary, those that simplemma gives the same lemma or that extend the word or are its beginning.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

ROOT = Path(__file__).resolve().parent
LIST = ROOT / "data" / "labelled_names.csv"
NEAR = 6
"""Near words kept for each name."""
CHECKED = {
    "abacus": "abacuses", "bison": "", "bus": "buses", "colobus": "colobuses", "fungus": "fungi",
    "hippopotamus": "hippopotamuses", "jeans": "", "kuvasz": "kuvaszes", "malinois": "", "mantis": "mantises",
    "meatloaf": "meatloaves", "minibus": "minibuses", "nautilus": "nautiluses", "pajamas": "pajama",
    "platypus": "platypuses", "tights": "", "trolleybus": "trolleybuses", "sayornis": "", "geococcyx": "",
}  # fmt: skip
"""Last words whose other number inflect does not know; empty for none that is in use."""
_PAIRED = re.compile(r"[/(]| or ")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One caption, the name it is about, how it says it, and whether it names it."""

    name: str
    kind: str
    caption: str
    named: bool


def names() -> list[str]:
    """ImageNet's names as open_clip has them, and the classes of Let It Wag!; each once."""
    from open_clip import IMAGENET_CLASSNAMES

    listed = (ROOT.parent / "assets" / "letitwag_classes.txt").read_text(encoding="utf-8").split()
    return list(dict.fromkeys([*IMAGENET_CLASSNAMES, *listed]))


def read() -> list[dict[str, str]]:
    """The committed list: ``name``, ``other`` (its other number, empty if it has none) and ``near`` words."""
    with LIST.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def captions() -> Iterator[Labelled]:
    """Every name in singular, plural, possessive and typographic variants, and with near words instead of its last."""
    for row in read():
        name, other = row["name"], row["other"]
        plain = name.replace("_", " ")
        yield Labelled(name, "as it is", f"a photo of {plain}", True)
        yield Labelled(name, "case and underscores", f"IMG {plain.upper().replace(' ', '_')} 2019", True)
        if other:
            yield Labelled(name, "other number", f"many {other.replace('_', ' ')} by the road", True)
        yield Labelled(name, "possessive", f"the {plain}'s colours", True)
        yield Labelled(name, "typographic possessive", f"a {plain}\u2019s colours, close up", True)
        for sign in "\u2010\u2011\u2013\u2014":
            yield Labelled(name, "hyphens and dashes", re.sub(r"[ _-]", sign, name), True)
        if "'" in name:
            for sign in "\u2019\u02bc\u00b4":
                yield Labelled(name, "typographic apostrophe", f"one {name.replace(chr(39), sign)}", True)
            for sign in ("&#39;", "&#x27;", "&rsquo;", "&apos;"):
                yield Labelled(name, "entities", f"one {name.replace(chr(39), sign)}", True)
        yield Labelled(name, "entities", f"&quot;{html.escape(plain).replace(' ', '&nbsp;')}&quot;&mdash;new", True)
        yield Labelled(name, "URL encoding", quote_plus(f"my {plain}, outside"), True)
        yield Labelled(name, "URL encoding", quote_plus(f"my {plain}, outside").replace("+", "%20"), True)
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else "\u3000" for c in plain)
        yield Labelled(name, "full width", f"{wide} 2", True)
        for word in row["near"].split():
            yield Labelled(name, "near word", f"a photo of {replaced(plain, word)} by the road", False)
        if len(plain.split()) > 1:
            first, *rest = plain.split()
            yield Labelled(name, "without its first word", f"a photo of {' '.join(rest)}", False)
            yield Labelled(name, "with a word between", f"a photo of {first} and {' '.join(rest)}", False)


def others() -> Iterator[Labelled]:
    """Captions of each name and its other number, for all the names that they do not hold in any number."""
    rows = read()
    numbers = {row["name"]: [_words(text) for text in (row["name"], row["other"]) if text] for row in rows}
    for row in rows:
        for text in filter(None, (row["name"], row["other"])):
            said = f" {' '.join(_words(text))} "
            for name, spelled in numbers.items():
                if not any(f" {' '.join(words)} " in said for words in spelled):
                    yield Labelled(name, "another name", text.replace("_", " "), False)


def replaced(name: str, word: str) -> str:
    """A name with another last word."""
    return re.sub(r"[A-Za-z0-9]+(?=[^A-Za-z0-9]*$)", word, name)


def _words(text: str) -> list[str]:
    return re.sub(r"[^a-z0-9']+", " ", text.lower()).split()


def main() -> None:
    """Write the list anew; needs ``pip install inflect simplemma``."""
    import inflect
    import simplemma
    from open_clip.tokenizer import SimpleTokenizer

    engine = inflect.engine()
    vocabulary = sorted(
        word.removesuffix("</w>") for word in SimpleTokenizer().encoder if re.fullmatch(r"[a-z]{3,}</w>", word)
    )
    lemmas: dict[str, list[str]] = {}
    for word in vocabulary:
        lemmas.setdefault(simplemma.lemmatize(word, lang="en").lower(), []).append(word)
    with LIST.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("name", "other", "near"))
        for name in names():
            last = _words(name)[-1]
            other = CHECKED.get(last, str(engine.singular_noun(last) or engine.plural_noun(last)))
            both = "" if _PAIRED.search(name) or other in (last, "") else replaced(name, other)
            mine = {last, other, str(engine.plural_noun(last)), f"{last}s", f"{last}es"}
            same = [word for word in lemmas.get(simplemma.lemmatize(last, lang="en").lower(), ()) if word not in mine]
            close = [
                word
                for word in vocabulary
                if word not in mine
                and min(len(word), len(last)) >= 4
                and 0 < abs(len(word) - len(last)) <= 3
                and (word.startswith(last) or last.startswith(word))
            ]
            rows.writerow((name, both, " ".join(list(dict.fromkeys([*same, *close]))[:NEAR])))


if __name__ == "__main__":
    main()
