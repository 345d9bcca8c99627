"""Settings of a run against the stand-in endpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.prompts.generate import QUESTIONS, Settings
from tests.helpers.llm import StandIn


def settings(endpoint: StandIn, **changes: Any) -> Settings:
    return replace(Settings(endpoint.url, "small", QUESTIONS["base"], count=2), **changes)
