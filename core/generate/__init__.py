"""Prompt sentences from a language model behind any OpenAI-compatible endpoint; Tailscope is complete without it."""

from __future__ import annotations

from core.generate.plan import QUESTIONS, Estimate, Settings, estimate
from core.generate.run import Generated, answered, generate, replies_path

__all__ = ["QUESTIONS", "Estimate", "Generated", "Settings", "answered", "estimate", "generate", "replies_path"]
