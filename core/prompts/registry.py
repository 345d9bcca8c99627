"""Named prompt strategies, and how a typed strategy finds its sentences.

A strategy is typed as ``ID``, ``ID:OPTION`` (a file, a seed ...), templates with a slot, or the path of a prompt file;
``@similarity``, ``@max`` or ``@embedding`` at its end overrides how sentence scores become class scores.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import cast, get_args

from core import plugins
from core.errors import BadInput, UnknownName
from core.prompts.files import from_file
from core.prompts.templates import VERBATIM, from_templates, parse_templates
from core.types import Aggregation, Classes, PromptSet

AGGREGATIONS: dict[Aggregation, str] = {
    "embedding": "Mean of embeddings: sentence vectors are normalised, averaged and normalised again, so a class is "
    "one vector of full length however much its sentences disagree.",
    "similarity": "Mean of similarities: cosines with every sentence are averaged; the same mean vector without the "
    "last normalisation, so a class whose sentences disagree scores lower.",
    "max": "Best sentence: only the most similar sentence of a class counts; one odd sentence can win an image.",
}
"""Each way from sentence scores to a class score, explained in one line."""

_OVERRIDE = re.compile(rf"(?s)(.+)@({'|'.join(get_args(Aggregation))})")


@dataclass(frozen=True, slots=True)
class Strategy:
    """One named way of making sentences.

    Attributes:
        id, title, help: the id that is typed, a title of a few words, one line of help.
        build: makes the sentences of an image set; or the sentence that says what to write after ``ID:``, for a
            strategy that is nothing without its option.
        vary: makes them with the text after ``ID:``; None when the strategy takes no option.
        option: what may follow ``ID:``, in words; empty for nothing.
        modes: words that may stand before a path in the option (``real:argmax:/path``).
        is_word: whether an option is a word (a seed, a corpus) and no path.
    """

    id: str
    title: str
    help: str
    build: Callable[[Classes], PromptSet] | str
    vary: Callable[[Classes, str], PromptSet] | None = None
    option: str = ""
    modes: tuple[str, ...] = ()
    is_word: Callable[[str], bool] = lambda option: False


_STRATEGIES: dict[str, Strategy] = {}


def register(strategy: Strategy) -> None:
    """Make a strategy available by its id."""
    _STRATEGIES[strategy.id] = strategy


def _known() -> Mapping[str, Strategy]:
    added = plugins.by_id("tailscope.prompts", Strategy, lambda one: one.id, _STRATEGIES)
    return _STRATEGIES | {id: _guarded(plugin) for id, plugin in added.items()}


def _guarded(plugin: plugins.Plugin[Strategy]) -> Strategy:
    one = plugin.value
    build = one.build if isinstance(one.build, str) else plugin.guarded(one.build)
    return replace(one, build=build, vary=plugin.guarded(one.vary) if one.vary else None)


def strategies(*, alone: bool = False) -> list[Strategy]:
    """All named strategies: the built-in ones in the order in which they were registered, then those of extensions.

    Args:
        alone: only those that can be named without an option.
    """
    return [one for one in _known().values() if not (alone and isinstance(one.build, str))]


def prompt_set(strategy: str, image_set: Classes) -> PromptSet:
    """The sentences of every class of an image set under one strategy.

    Args:
        strategy: a strategy id, perhaps with an option (``waffle:3``, ``dclip:/path/to/descriptors.json``); templates
            with a slot (``{}``, ``{c}`` or ``{class}``), one a line; or the path of a prompt file (its forms are in
            ``core.prompts.files``). ``verbatim:`` before templates keeps quotes and commas around them.
            ``@similarity``, ``@max`` or ``@embedding`` at the end overrides the aggregation.

    Raises:
        UnknownName: neither an id nor a template nor a file; the message suggests ids.
        BadInput: a template without a slot, or with different slots; a strategy that knows nothing of these classes.
        UnreadableData: the prompt file is not what it should be.
    """
    plain, aggregation = split_aggregation(strategy)
    made = _recognised(plain)(image_set)
    return replace(made, strategy=strategy, aggregation=aggregation or made.aggregation)


def check(strategy: str) -> None:
    """Tell whether a typed strategy can be read, without the classes that it would be read for.

    Raises:
        UnknownName: neither an id nor a template nor a file. BadInput: a template without a slot, an option that the
            strategy does not take.
    """
    _recognised(split_aggregation(strategy)[0])


def _recognised(strategy: str) -> Callable[[Classes], PromptSet]:
    """What makes the sentences of a strategy, told from its text alone."""
    known = _known()
    if strategy in known:
        build = known[strategy].build
        if isinstance(build, str):
            raise BadInput(build)
        return build
    path = prompt_file(strategy)
    verbatim, text = strategy.startswith(VERBATIM), strategy.removeprefix(VERBATIM)
    named, option = _named(text)
    # A template may start like an option ("class: {}"), and a path may hold braces: a file that exists decides.
    if named is not None and (path or "{" not in text or _is_path(option)):
        vary = named.vary
        if vary is None:
            raise BadInput(f"The strategy {named.id} takes no option; write {named.id} alone.")
        return lambda image_set: vary(image_set, option)
    if path:
        return lambda image_set: from_file(strategy, path, image_set, verbatim=verbatim)
    if ("{" in text or "%s" in text) and not _is_path(text):
        templates = parse_templates(text, verbatim=verbatim)
        return lambda image_set: from_templates(strategy, templates, image_set)
    raise unknown(strategy)


def unknown(strategy: str) -> BadInput:
    """What is wrong with a text that is no strategy, no template and no file; looks at no disk."""
    strategy, _ = split_aggregation(strategy)
    if not re.search(r"[/\\]|\.(json|txt)$", strategy) and re.search(r"\s", strategy.strip()):
        # Words without a slot: a template that lacks one, not a misspelt id.
        try:
            parse_templates(strategy)
        except BadInput as error:
            return error
    close = get_close_matches(strategy, known := _known(), n=3, cutoff=0.4) or list(known)
    return UnknownName(
        f"No prompt strategy or file is called {strategy!r}; did you mean {' or '.join(close)}? "
        "A template needs a slot, for example 'a photo of a {c}.'."
    )


def _is_path(text: str) -> bool:
    """Whether a text that is no existing file was meant as one."""
    return bool(re.fullmatch(r"[^\n]*[^\s{}]\.(?:json|txt)", text))


def prompt_file(strategy: str) -> Path | None:
    """The existing file that this strategy would read, or None."""
    typed = typed_path(strategy)
    try:
        path = Path(typed).expanduser() if typed else None
        return path if path is not None and path.exists() and not path.is_dir() else None
    except (OSError, RuntimeError, ValueError):
        return None


def typed_path(strategy: str) -> str:
    """What this strategy would look for on the disk, as it was typed; empty when it needs no file.

    Looks at no disk, so that servers can check it against their data roots first.
    """
    strategy, _ = split_aggregation(strategy)
    strategy = strategy.removeprefix(VERBATIM)
    if strategy in _known() or len(strategy) > 4096 or ("{" in strategy and not _is_path(strategy)):
        return ""
    named, option = _named(strategy)
    if named is None:
        return strategy
    mode, colon, rest = option.partition(":")
    if named.vary is None or named.is_word(option):
        return ""
    return rest if colon and mode in named.modes else option


def split_aggregation(strategy: str) -> tuple[str, Aggregation | None]:
    """A strategy without ``@similarity``, ``@max`` or ``@embedding`` at its end, and which of them stood there."""
    found = _OVERRIDE.fullmatch(strategy)
    return (found[1], cast(Aggregation, found[2])) if found else (strategy, None)


def _named(strategy: str) -> tuple[Strategy | None, str]:
    """The strategy before the first colon and the option after it, or None and the text as it is."""
    id, colon, option = strategy.partition(":")
    known = _known()
    return (known[id], option) if colon and id in known else (None, strategy)


def strategy_id(strategy: str) -> str:
    """The id that a strategy begins with, without its option and aggregation; a template or a file as it is."""
    text, _ = split_aggregation(strategy)
    named, _ = _named(text)
    return named.id if named else text
