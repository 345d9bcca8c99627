"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Model = Annotated[str, typer.Argument(help="ARCH,PRETRAINED | hf-hub:org/repo | local-dir:/path | ARCH,/checkpoint")]
Set = Annotated[str, typer.Argument(metavar="SET", help="A built-in id (icons, icons-tail ...) or a path.")]
Strategy = Annotated[str, typer.Option(help="Strategy id, path of a prompt file, or a quoted template with {}.")]
Prompts = Annotated[
    str | None,
    typer.Option(help="Strategy id, path of a prompt file, or a quoted template with {}. [simple, or as published]"),
]
Origin = Annotated[
    Literal["auto", "live", "shipped", "published", "imported"],
    typer.Option(help="Run here, shipped, published by the authors, or imported; auto: the first that there is."),
]
Precision = Annotated[Literal["auto", "float32"], typer.Option(help="float32 switches mixed precision off.")]
Also = Annotated[list[str] | None, typer.Option(metavar="MODEL", help="A further model; several times.")]
Frequency = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE",
        help="Counts that tell head from tail, or none; by default those of each model's own pretraining set.",
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option("--label-column", metavar="NAME", help="Column with classes; folder = the folder of the picture."),
]
PathColumn = Annotated[
    str | None, typer.Option("--path-column", metavar="NAME", help="Column with the paths of pictures.")
]
Split = Annotated[str | None, typer.Option("--split", metavar="NAME", help="Split to read; default: test, val, train.")]
Names = Annotated[Literal["shown", "released"], typer.Option(help="released = class keys verbatim.")]
Method = Literal["text", "image", "integrated"]
Records = Annotated[Path | None, typer.Option(help="Write the records here and print a table instead.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
BaseUrl = Annotated[str, typer.Option(help="OpenAI-compatible address, for example http://localhost:11434/v1.")]
PriceIn = Annotated[float | None, typer.Option(help="Price of a million tokens sent.")]
PriceOut = Annotated[float | None, typer.Option(help="Price of a million tokens received.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
