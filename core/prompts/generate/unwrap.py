"""The text inside a language model's reply: without thoughts, control tokens, tags, fences and JSON around it."""

from __future__ import annotations

import ast
import json
import re

# Reasoning: tags of many makers, in several kinds of brackets, and the channels and marks of others.
_THOUGHT_NAME = (
    r"(?:[\w.]+:)?(?:think|thinking|thoughts?|thought_process|reason|reasoning|reflect|reflection|analysis|scratchpad"
    r"|inner_monologue|internal_monologue|monologue|chain_of_thought|cot|plan|planning)"
)
_OPEN, _CLOSE = r"(?:<\|?|◁)\s*", r"\s*(?:\|?>|▷)"
_THOUGHT_OPEN = (
    rf"(?:{_OPEN}(?:begin_of_|start_)?{_THOUGHT_NAME}(?:\s[^<>\]]*)?{_CLOSE}"
    r"|<\|?channel\|?>\s*(?:analysis|commentary|thought)|\[THINK\]|<unused94>|here is my thought process:)"
)
_THOUGHT_CLOSE = (
    rf"(?:{_OPEN}(?:/|end_of_|end_){_THOUGHT_NAME}{_CLOSE}|(?:<\|?end\|?>\s*(?:<\|?start\|?>\s*assistant\s*)?)?"
    r"<\|?channel\|?>\s*final[^<]*(?:<\|?message\|?>)?|\[/THINK\]|<channel\|>|<unused95>|here is my response:)"
)
_THOUGHT = re.compile(rf"{_THOUGHT_OPEN}.*?{_THOUGHT_CLOSE}", re.IGNORECASE | re.DOTALL)
_ONLY_CLOSED = re.compile(rf"^.*{_THOUGHT_CLOSE}", re.IGNORECASE | re.DOTALL)
_NEVER_CLOSED = re.compile(rf"{_THOUGHT_OPEN}.*", re.IGNORECASE | re.DOTALL)
# Channels whose marks a server has removed, and reasoning that is announced in words.
_BARE_CHANNEL = re.compile(r"^\s*analysis(?=[A-Z]).*?assistant\s*final", re.DOTALL)
_WORDED = re.compile(
    r"\A\W*(?:thoughts?|thinking|thinking process|reasoning)\W*:"
    r"(?:.*?^\W*(?:final )?(?:answer|response|output)\W*:|.*)",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)


_WORD = re.compile(r"[^\W_]")
_TOKEN = re.compile(r"<\|[^<>|]{1,40}\|?>|\[/?INST\]|<(?:start|end)_of_turn>|</?(?:s|eos|bos|pad)>", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|p|li|/p|/li|/div)\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][\w:-]{0,40}(?:\s[^<>]{0,200})?/?>")
_FENCE = re.compile(r"(?:```|~~~)[ \t]*(?:[\w.+#-]*[ \t]*(?:\r?\n|$))?(.*?)(?:```|~~~|\Z)", re.DOTALL)


def without_thought(text: str) -> str:
    """The reply without its reasoning: closed blocks, blocks whose start or end is missing, and analysis channels."""
    text = _WORDED.sub("", _BARE_CHANNEL.sub("", _THOUGHT.sub("\n", text), count=1), count=1)
    return _NEVER_CLOSED.sub("", _ONLY_CLOSED.sub("", text))


def unwrapped(text: str) -> str:
    """What stands inside a fence, and inside the JSON there."""
    text = _TAG.sub("", _BREAK.sub("\n", _TOKEN.sub("\n", text))).strip()
    fenced = next((found[1] for found in _FENCE.finditer(text) if _WORD.search(found[1])), None)
    text = text if fenced is None else fenced
    return _from_json(text.strip()) or text


_PREFERRED = (
    "sentence",
    "description",
    "caption",
    "text",
    "answer",
    "response",
    "reply",
    "output",
    "content",
    "result",
)
_CLOSED_STRING = re.compile(r"(?:[\[,:{]|^)\s*(\"(?:[^\"\\\n]|\\.)*\")(?=\s*[,\]}])")


def _from_json(text: str) -> str:
    """The first text in a reply that is JSON (or a Python list); empty when it is none."""
    start = re.search(r"[\[{]\s*[\"'{\[]", text)
    if not (text.startswith(('"', "[", "{")) or (start and text[: start.start()].rstrip().endswith(":"))):
        return ""
    text = text if text.startswith(('"', "[", "{")) or start is None else text[start.start() :]
    try:
        value, end = json.JSONDecoder().raw_decode(text)
        return _leaf(value) if not isinstance(value, str) or end == len(text) else ""
    except (ValueError, RecursionError):
        pass
    try:
        return _leaf(ast.literal_eval(text)) if text[0] in "[{" and len(text) < 10_000 else ""
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        # Cut in the middle: the first string that is closed and no key.
        found = _CLOSED_STRING.search(text)
        return json.loads(found[1], strict=False) if found else ""


def _leaf(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        folded = {str(key).lower().rstrip("s"): item for key, item in value.items()}
        named = [folded[key] for key in _PREFERRED if key in folded]
        parts = [text for item in (named or value.values()) if (text := _leaf(item))]
        return next((text for text in parts if len(text.split()) > 2), parts[0] if parts else "")
    if isinstance(value, list | tuple):
        return next((text for item in value if (text := _leaf(item))), "")
    return ""
