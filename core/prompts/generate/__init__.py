"""Prompt sentences from a language model behind any OpenAI-compatible endpoint; Tailscope is complete without it."""

from __future__ import annotations

from core.prompts.generate.endpoint import (
    KEY_VARIABLES,
    URL_VARIABLE,
    check_address,
    key_for,
    key_variable,
    own_key,
    own_url,
)
from core.prompts.generate.plan import MOST_TOKENS, QUESTIONS, Estimate, Settings, estimate
from core.prompts.generate.run import Generated, answered, folder, generate, place, replies_path, written

__all__ = [
    "KEY_VARIABLES",
    "MOST_TOKENS",
    "QUESTIONS",
    "URL_VARIABLE",
    "Estimate",
    "Generated",
    "Settings",
    "answered",
    "check_address",
    "estimate",
    "folder",
    "generate",
    "key_for",
    "key_variable",
    "own_key",
    "own_url",
    "place",
    "replies_path",
    "written",
]
