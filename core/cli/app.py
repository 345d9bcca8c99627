"""The command line put together, and how it fails: one clear sentence."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from core.cli import (
    answers,
    board,
    catalogue,
    compare,
    composition,
    counting,
    evaluation,
    icons,
    prompts,
    remedies,
    robustness,
    serve,
    storage,
)
from core.cli.published import app as published
from core.errors import TailscopeError
from core.faults import FAULTS, in_words
from core.versions import TAILSCOPE

app = typer.Typer(
    help="Tailscope: evaluate CLIP-family models and see where they fail in the long tail.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (serve, catalogue, counting, evaluation, compare, composition, remedies, storage):
    group.register(app)
app.add_typer(answers.app, name="answers")
app.add_typer(board.app, name="board")
app.add_typer(icons.app, name="icons")
app.add_typer(prompts.app, name="prompts")
app.add_typer(robustness.app, name="robustness")
app.add_typer(published, name="published")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tailscope {TAILSCOPE}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before any command."""


def main() -> int:
    """Run the command line; a problem is one clear sentence on standard error and exit code 2."""
    try:
        app(standalone_mode=True)
    except (TailscopeError, *FAULTS) as error:
        fault = in_words(error)
        if fault is None:
            raise
        print(f"tailscope: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tailscope: stopped; what was finished is kept.", file=sys.stderr)
        return 130
    finally:
        gc.unfreeze()  # what ``core.evaluation.evaluate`` froze for the server's sake can be torn down in order
    return 0
