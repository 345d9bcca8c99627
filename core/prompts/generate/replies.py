"""From a language model's raw reply to one usable sentence, or to the reason why there is none.

Chat and reasoning models wrap what was asked for in thoughts, fences, lists, headings and courtesies. These are
removed; refusals, questions and replies that end before their first sentence does are named instead of being used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.prompts.generate.sentences import ENDS, QUOTES, split_sentences, unquoted
from core.prompts.generate.unwrap import unwrapped, without_thought

EMPTY = "empty"
THOUGHT = "thought only, no reply"
REFUSAL = "refusal"
UNFINISHED = "cut by the token limit inside its first sentence"
NO_SENTENCE = "no sentence"


@dataclass(frozen=True, slots=True)
class Read:
    """What one raw reply gives: a sentence with its full stop, or an empty one and the problem in a few words."""

    sentence: str = ""
    problem: str = ""


def read_reply(text: str, *, question: str = "", finish: str = "") -> Read:
    """The first usable sentence of a raw reply, on one line and with a full stop, as CuPL keeps them.

    Args:
        question: what was asked; a reply that repeats it is read on from there.
        finish: the endpoint's finish reason; after ``length`` a sentence without an end counts as unfinished.
    """
    if is_empty(text):
        return Read(problem=EMPTY)
    if finish == "content_filter":
        return Read(problem=REFUSAL)
    plain = without_thought(_UNSEEN.sub("", text[:_MOST_CHARACTERS]))
    if is_empty(plain):
        return Read(problem=THOUGHT)
    blocks = list(_blocks(unwrapped(plain)))
    problem = NO_SENTENCE
    for place, block in enumerate(blocks):
        last = place == len(blocks) - 1
        told = _without_preamble(block.text)
        if _REFUSAL.match(block.text.replace("’", "'")) or _REFUSAL.match(told.replace("’", "'")):
            return Read(problem=REFUSAL)
        for labelled, ended in split_sentences(told):
            sentence = _LABEL.sub("", labelled)
            if not _WORD.search(sentence) or _is_filler(sentence, question):
                continue
            if not ended and last and finish == "length":
                problem = UNFINISHED
                continue
            if not ended and not last and not block.item and _is_title(sentence):
                continue
            return Read(sentence if sentence[-1] in ENDS else f"{sentence}.")
    return Read(problem=problem)


def is_empty(text: str) -> bool:
    """Whether a reply holds no letter or digit; such a reply is requested again."""
    return not _WORD.search(text)


_MOST_CHARACTERS = 100_000
_WORD = re.compile(r"[^\W_]")
_UNSEEN = re.compile("[\ud800-\udfff\ufeff\u200b\u2060]")

_MARKER = re.compile(
    r"^(?:[-*•‣◦▪●○·–—+]|[-–—*]?\s*\(?\d{1,3}(?:[.):\]]|️?⃣)|\[\d{1,3}\]|\(?[A-Za-z]\)|\(?[ivxIVX]{1,4}\)|\d{1,2}\s[-–—])\s+"
    r"|^[•‣◦▪●]|^\d{1,2}️?⃣\s*|^\d{1,3}[.)](?=[^\W\d])"
)
_RULE = re.compile(r"(?:[-*_=~]\s*){3,}$|\|.*\|$")
_HEADING = re.compile(r"#{1,6}\s.*|(?:\*\*|__)[^*_]*[^*_.!?](?:\*\*|__):?")
_LABEL = re.compile(
    r"^(?:the\s+)?(?:(?:final|my|short|possible|example)\s+)?"
    r"(?:sentence|answer|description|caption|response|output|assistant|reply|prompt"
    r"|example|option|version|a)s?\s*(?:#?\d{1,3}|[A-Z])?\s*[:：]\s+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph or an item of a list on one line, without markup."""

    text: str
    item: bool = False


def _blocks(text: str) -> Iterator[_Block]:
    """The items and paragraphs of a reply; its headings only if there is nothing else."""
    current: list[str] = []
    headings: list[str] = []
    gap = some = is_item = False
    for raw in text.splitlines():
        line = re.sub(r"^(?:>\s*)+", "", raw.strip())
        ruled, heading = _RULE.match(line), _HEADING.fullmatch(line)
        if ruled or heading:
            if current:
                yield _Block(" ".join(current), is_item)
            some, current, is_item = some or bool(current), [], False
            headings += [_plain(line)] if heading else []
        elif line:
            bare = _MARKER.sub("", re.sub(r"^(\*\*|__)(\d{1,3}[.)])\1", r"\2", line), count=1)
            item = bare != line
            line = _plain(_LABEL.sub("", _plain(bare)))
            if current and (item or _starts_anew(current[-1], line, gap)):
                yield _Block(" ".join(current), is_item)
                some, current, is_item = True, [], False
            current += [line] if line else []
            is_item = is_item or item
        gap = not line
    if current:
        yield _Block(" ".join(current), is_item)
    elif not some:
        yield from (_Block(line) for line in headings if len(line.split()) > 2)


def _starts_anew(before: str, line: str, gap: bool) -> bool:
    # A wrapped line goes on with the sentence; a heading, a preamble or a finished sentence does not.
    if before.endswith(":"):
        return True
    if line[:1].islower():
        return False
    return gap or before.rstrip(QUOTES)[-1:] in ENDS or len(before.split()) <= 4


def _plain(line: str) -> str:
    """A line without Markdown marks, links, quotes around it and symbols before it."""
    line = re.sub(r"\\boxed\{(.*?)\}", r"\1", line)
    line = re.sub(r"!?\[([^\]]*)\]\([^)\s]*\)", r"\1", line)
    line = re.sub(r"(\*{1,3}|_{2,3}|~~|`+)(?=\S)(.+?)(?<=\S)\1", r"\2", line)
    line = re.sub(r"(?<!\w)_(?=\S)([^_]+?)(?<=\S)_(?!\w)", r"\1", line)
    line = re.sub(r"\*{2,}|~~|`+", "", line)
    line = " ".join(line.split())
    return unquoted(re.sub(r"^[^\w(\"'“‘«„「『]+", "", line))


def _start(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(alternatives)})", re.IGNORECASE)


_ABOUT = r"(?:sentence|description|caption|answer|response|list|example|prompt|characteristic|feature|way|version)s?"
_PREAMBLES = (
    # Courtesies up to the first stop.
    _start(
        r"(?:sure|certainly|of course|absolutely|definitely|ok(?:ay)?|alright|all right|yes|gladly|understood|got it"
        r"|no problem|here you go|here it is|here we go|great|good|great question|good question|happy to help"
        r"|with pleasure|thank you|thanks|hello|hi)"
        r"(?: there| thing)?(?:[!.,;:]|\s*[—–]|\s-)+\s*"
    ),
    _start(
        r"(?:i'?d|i would|i'?ll|i will|let me)\s(?:be |gladly |now |try to )?"
        r"(?:happy|glad|describe|provide|write|help)\b[^.!?:]*[.!:]\s*"
    ),
    # Announcements up to their colon, or up to a stop where they name what comes.
    _start(
        r"(?:here(?:'s| is| are| it is| they are| you go| you are)|below (?:is|are)|the following (?:is|are)"
        r"|as requested"
        r"|this is (?:a|an|one|the) (?:possible )?" + _ABOUT + r"|in (?:one|a single|short)|one possible"
        r"|an? (?:possible |suitable |good |short )?" + _ABOUT + r" (?:of|for|could|would|might|is))[^:\n]{0,160}:\s*"
    ),
    _start(
        r"(?:here(?:'s| is| are| you go)|below (?:is|are))\b[^:\n.!]{0,120}\b" + _ABOUT + r"\b[^:\n.!]{0,60}[.!]\s*"
    ),
)


def _without_preamble(block: str) -> str:
    """A block without courtesies and announcements before its first sentence."""
    before = ""
    while block != before:
        before = block
        for pattern in _PREAMBLES:
            found = pattern.match(block.replace("’", "'"))
            block = _plain(block[found.end() :]) if found else block
        block = _LABEL.sub("", block)
    return block


_REFUSAL = _start(
    r"(?:(?:oh|well|hmm)[,.!]?\s+)?i(?:'m| am) (?:very |so |really |truly )?"
    r"(?:sorry|afraid|unable|not (?:able|sure|aware|familiar))",
    r"(?:but |however, )?i(?:'m| am)? (?:just |only )?an? (?:ai|language|text|virtual)\b",
    r"sorry\b",
    r"(?:my )?apolog(?:y|ies|i[sz]e)\b",
    r"i (?:must |have to |do )?(?:apologi[sz]e|decline|regret)\b",
    r"i (?:really |simply |currently |also )?(?:cannot|can't|can not|could(?:n't| not)|won't|will not|would not)\b",
    r"i (?:really |simply |currently |also )?(?:don't|do not) (?:have|know|see|recogni[sz]e|feel|think i)\b",
    r"i (?:have no|was unable|need (?:more|additional|further)|lack)\b",
    r"as an? (?:\w+ )?(?:ai|a\.i\.|artificial|language|text|llm|virtual|chat)",
    r"unfortunately,? (?:i|as|there is no|this|that|it|we)\b",
    r"it(?:'s| is) not (?:possible|clear|appropriate)\b",
    r"it (?:seems|appears|looks like) (?:that )?"
    r"(?:you|there|your|this (?:is|may)|the (?:term|name|question|request))\b",
    r"(?:please|could you(?: please)?|can you(?: please)?|kindly) (?:provide|clarify|specify|give|share|tell|let me)\b",
    r"(?:there is|i have|i've) no (?:known|such|information|record)",
    r"the (?:term|name|word) .{0,60}(?:is not|isn't|does not|doesn't|could refer|can refer|may refer)",
    r"(?:n/?a|none|null|unknown|no answer|no response|error)\W*$",
    r"no (?:data|information|description)\b",
    r"this (?:request|content|question) (?:violates|cannot|can't|is not)",
    r"lo siento|(?:je suis )?désolé|es tut mir leid|tut mir leid|entschuldigung|mi dispiace|desculpe",
    r"(?:很|非常)?抱歉|对不起|申し訳|すみません|죄송",
)
_CLOSING = _start(r"(?:let me know|i hope|feel free|hope this|if you (?:need|want|have|would like))\b")


def _is_filler(sentence: str, question: str) -> bool:
    """A question back, the question itself again, or an announcement that nothing follows."""
    if sentence[-1] in "?？" or sentence[-1] in ":：":
        return True
    if question and _folded(sentence) == _folded(question):
        return True
    return bool(_CLOSING.match(sentence))


def _is_title(text: str) -> bool:
    return len(text.split()) <= 4 and not re.match(r"(?:an?|the)\s", text, re.IGNORECASE)


def _folded(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()
