"""Folders, tables and what they are read as."""

from __future__ import annotations

from pathlib import Path

from tests.pictures import encoded, write_tree

PNG = encoded()


def pictures(root: Path, *names: str) -> Path:
    return write_tree(root, {name: encoded((number, 0, 0)) for number, name in enumerate(names)})


SIX = tuple(f"images/{number}.png" for number in range(6))


def table(column: str, values: tuple[str, ...], *, where: str = "path") -> str:
    rows = zip(SIX, values, strict=True)
    return f"{where},{column}\n" + "".join(f"{path},{value}\n" for path, value in rows)
