"""Work for an engine under a key of the test's choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.runtime.jobs import Engine, Job, Question
from core.types import Report


class Named(Question[Any]):
    """A question under a key of the test's choice, so that its work may be a closure."""

    def __init__(self, key: Any, label: str, work: Callable[[Report], Any], **options: Any) -> None:
        super().__init__(work, label=label, **options)
        object.__setattr__(self, "name", str(key))

    @property
    def key(self) -> str:
        return self.name

    def run(self, report: Report) -> Any:
        return self.work(report)


def submit(
    jobs: Engine, key: Any, label: str, work: Callable[[Report], Any], *, session: str | None = None, **options: Any
) -> Job[Any]:
    """Submit work under a key of the test's choice."""
    return jobs.submit(Named(key, label, work, **options), session=session)
