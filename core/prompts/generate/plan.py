"""What is asked of a language model: CuPL's questions, the settings of a run, and what it will cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.errors import BadInput
from core.icons.corpus import article

QUESTIONS: dict[str, tuple[str, ...]] = {
    "base": (
        "Describe what {a} {name} looks like:",
        "Describe {a} {name}:",
        "What are the identifying characteristics of {a} {name}?",
    ),
    "full": (
        "Describe what {a} {name} looks like",
        "How can you identify {a} {name}?",
        "What does {a} {name} look like?",
        "Describe an image from the internet of {a} {name}",
        "A caption of an image of {a} {name}:",
    ),
}
"""CuPL's question sets: base for every data set, full as for ImageNet. {a} is the article."""

MOST_TOKENS = 16_000
"""Longest reply that can be asked for: reasoning models spend tokens on thought before the sentence."""
CHARACTERS_A_TOKEN = 4
_TOKENS_A_SENTENCE = 25
TOKENS_OF_FORMAT = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """One way of asking. Part of every raw reply; the key is not among them and is never kept.

    Attributes:
        base_url: up to and without ``/chat/completions``, for example ``http://localhost:11434/v1``.
        model: the endpoint's name of the model.
        questions: with ``{a}`` and ``{name}``.
        count: sentences for each question; temperature, max_tokens, seed: as the endpoint takes them.
        instruction: system message; CuPL's own model completed text and needed none.
    """

    base_url: str
    model: str
    questions: tuple[str, ...] = field(default=QUESTIONS["full"])
    count: int = 10
    temperature: float = 0.99
    max_tokens: int = 50
    seed: int | None = None
    instruction: str = "Answer in one sentence."

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise BadInput("Name the model that the endpoint should use.")
        if not self.questions or not all("{name}" in question for question in self.questions):
            raise BadInput("Every question needs the slot {name}, for example 'What does {a} {name} look like?'.")
        if not (1 <= self.count <= 100 and 1 <= self.max_tokens <= MOST_TOKENS and 0 <= self.temperature <= 2):
            raise BadInput(
                f"Ask for 1 to 100 sentences of 1 to {MOST_TOKENS:,} tokens at a temperature between 0 and 2."
            )

    def asked(self, name: str) -> tuple[str, ...]:
        """The finished questions about one class."""
        return tuple(q.replace("{a}", article(name)).replace("{name}", name) for q in self.questions)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is left to ask.

    Attributes:
        requests: questions without an answer yet; done: those answered in an earlier run.
        tokens_in, tokens_out: expected, at four characters a token and 25 tokens a sentence (or ``max_tokens``).
        cost: in the currency of the prices; None when no price was given.
        most: the same if every reply is as long as allowed.
    """

    requests: int
    done: int
    tokens_in: int
    tokens_out: int
    cost: float | None
    most: float | None

    @property
    def sentence(self) -> str:
        """The estimate in words, to be confirmed before anything is sent."""
        said = f"{self.requests:,} requests, about {self.tokens_in:,} tokens in and {self.tokens_out:,} out"
        if self.done:
            said += f" ({self.done:,} questions are answered already)"
        if self.cost is None:
            return f"{said}; give the prices of your endpoint to see the cost."
        return f"{said}: about {self.cost:,.2f}, at most {self.most:,.2f} at the prices given."


def estimate(
    settings: Settings,
    names: Iterable[str],
    *,
    answered: Mapping[str, int] | None = None,
    price_in: float | None = None,
    price_out: float | None = None,
) -> Estimate:
    """Expected requests, tokens and cost.

    Args:
        answered: question -> sentences that an earlier run already got.
        price_in, price_out: per million tokens; both or none.
    """
    answered = answered or {}
    requests = done = tokens_in = sentences = 0
    for question in {question for name in names for question in settings.asked(name)}:
        missing = settings.count - answered.get(question, 0)
        if missing <= 0:
            done += 1
            continue
        requests += 1
        sentences += missing
        tokens_in += math.ceil((len(question) + len(settings.instruction)) / CHARACTERS_A_TOKEN) + TOKENS_OF_FORMAT
    tokens_out = sentences * min(_TOKENS_A_SENTENCE, settings.max_tokens)
    cost = most = None
    if price_in is not None and price_out is not None:
        cost = (tokens_in * price_in + tokens_out * price_out) / 1e6
        most = (tokens_in * price_in + sentences * settings.max_tokens * price_out) / 1e6
    return Estimate(requests, done, tokens_in, tokens_out, cost, most)
