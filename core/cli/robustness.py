"""``robustness``: what is left of accuracy when the images change."""

from __future__ import annotations

import typer

from core.cli import attacks, corruptions, shifts

app = typer.Typer(
    help="Shifts, corruptions and attacks: what is left of accuracy when images change.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """A group even while it has one command."""


for group in (shifts, attacks, corruptions):
    group.register(app)
