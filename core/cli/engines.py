"""``--engine``: whether this machine computes, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import typer

T = TypeVar("T")
Engine = Annotated[
    Literal["local", "ray"], typer.Option(help="ray: on the workers of a Ray cluster; needs ray[data] (docs/SCALE.md).")
]
Address = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="The Ray cluster; default: RAY_ADDRESS, else this machine.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Ray workers; default: one a GPU, else one a machine.")]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who computes: a cluster at an address (None: this machine's own), or the local engine."""

    ray: bool = False
    address: str | None = None
    workers: int | None = None

    def __str__(self) -> str:
        return f"ray at {self.address or 'this machine'}" if self.ray else "local"

    def run(self, local: Callable[[], T], on_ray: Callable[..., T]) -> T:
        """What the engine chosen gives; ``on_ray`` gets ``address`` and ``workers``."""
        return on_ray(address=self.address, workers=self.workers) if self.ray else local()


def chosen(engine: str, address: str | None, workers: int | None, *, processes: bool = False) -> Chosen:
    """The engine to use; ``processes``: the local one has workers as well.

    Without Ray the local engine does the same on this machine; a cluster that was named cannot be replaced by it.

    Raises:
        ExtraMissing: a cluster was named, and Ray Data is not installed.
    """
    if engine == "local":
        if address or (workers and not processes):
            raise typer.BadParameter("--address and --workers belong to --engine ray")
        return Chosen()
    from core.cluster.session import INSTALL, address_of, available

    address = address_of(address)
    if not available() and address is None:
        typer.echo(f"Ray Data is not installed ({INSTALL}): the local engine is used.", err=True)
        return Chosen()
    return Chosen(True, address, workers)
