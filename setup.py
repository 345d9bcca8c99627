"""How the checkout becomes a wheel: its four folders move below ``tailscope``, and their imports with them.

In the checkout ``core``, ``cache``, ``pages`` and ``assets`` lie at the top, which no installed package may claim. The
wheel holds the same files as ``tailscope.core`` and so on. Imports are rewritten where the syntax tree says that one
stands; what cannot be rewritten with certainty stops the build.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel
from setuptools.errors import SetupError

ROOT = Path(__file__).resolve().parent
PACKAGE = "tailscope"
MOVED = ("core", "cache", "pages")
FOLDERS = (*MOVED, "assets")
FILES = ("app.py", ".streamlit/config.toml")
SKIPPED = ("cache/data/",)

_OURS = "|".join(MOVED)
_DOTTED = re.compile(rf"({_OURS})(\.\w+)+(:\w+)?")
_FROM = re.compile(rb"from\s+")
_COMMAND = re.compile(r"python -m core(?![\w.])")
_MODULE_COMMAND = re.compile(r"python -m core\.")
_SOURCE_IN_TEXT = re.compile(rf"(?:^|;)\s*(?:from|import) (?:{_OURS})\b")


class CannotMove(SetupError):
    """A piece of source that names a module in a way that is not rewritten."""


def moved(source: str, name: str) -> str:
    """A module's source as it reads below ``tailscope``.

    Rewritten are absolute imports, strings that are the dotted name of a module of ours (``core.x.y`` or
    ``core.x.y:function``), and ``python -m core`` in texts, which becomes ``tailscope``.

    Args:
        name: the file, for messages.

    Raises:
        CannotMove: a module of ours is named in another way.
    """
    text = _MODULE_COMMAND.sub(f"python -m {PACKAGE}.core.", _COMMAND.sub(PACKAGE, source))
    tree, data = ast.parse(text), text.encode("utf-8")
    starts = [0]
    for line in data.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    places = sorted({starts[line - 1] + column for line, column in _places(tree, data, starts, name)}, reverse=True)
    for place in places:
        data = data[:place] + f"{PACKAGE}.".encode() + data[place:]
    result = data.decode("utf-8")
    _check(ast.parse(result), name)
    return result


def _places(tree: ast.AST, data: bytes, starts: list[int], name: str) -> Iterator[tuple[int, int]]:
    """Line and byte column before which ``tailscope.`` belongs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and _ours(node.module):
            start = starts[node.lineno - 1] + node.col_offset
            keyword = _FROM.match(data, start)
            if keyword is None:
                raise CannotMove(f"{name}:{node.lineno}: this import is not rewritten")
            yield node.lineno, node.col_offset + len(keyword[0])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if _ours(alias.name):
                    if not alias.asname and _is_used(tree, alias.name.partition(".")[0]):
                        raise CannotMove(f"{name}:{node.lineno}: import {alias.name} binds a name that is used")
                    yield alias.lineno, alias.col_offset
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
            if not _exists(node.value.partition(":")[0]):
                raise CannotMove(f"{name}:{node.lineno}: {node.value!r} looks like a module of ours and is none")
            start = starts[node.lineno - 1] + node.col_offset
            if (
                data[start : start + 1] not in (b'"', b"'")
                or data[start + 1 : start + 3] == data[start : start + 1] * 2
            ):
                raise CannotMove(f"{name}:{node.lineno}: {node.value!r} is not written as one plain string")
            yield node.lineno, node.col_offset + 1


def _check(tree: ast.AST, name: str) -> None:
    """Refuse what names a module of ours in a way that was not rewritten."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _SOURCE_IN_TEXT.search(node.value) or "python -m core" in node.value or _DOTTED.fullmatch(node.value):
                raise CannotMove(f"{name}:{node.lineno}: a text names a module of ours: {node.value[:80]!r}")
        elif isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
            if re.match(rf"({_OURS})\.$", str(node.values[0].value)):
                raise CannotMove(f"{name}:{node.lineno}: the name of a module is put together")
        elif isinstance(node, ast.List | ast.Tuple):
            words = [getattr(item, "value", None) for item in node.elts]
            if any(flag == "-m" and _ours(word) for flag, word in pairwise(words)):
                raise CannotMove(f"{name}:{node.lineno}: a command names a module of ours")


def _ours(module: object) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in MOVED


def _is_used(tree: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


def _exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def packaged() -> Iterator[tuple[Path, Path]]:
    """Every file of the checkout that the wheel holds, and where below ``tailscope`` it lies."""
    yield from ((path, Path(path.name)) for path in sorted((ROOT / PACKAGE).glob("*.py")))
    yield from ((ROOT / file, Path(file)) for file in FILES)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            place = path.relative_to(ROOT)
            skipped = "__pycache__" in place.parts or place.as_posix().startswith(SKIPPED)
            if path.is_file() and not skipped and path.suffix != ".pyc":
                yield path, place


class BuildPy(build_py):
    """Builds ``tailscope`` from its own folder and from those that move below it."""

    def run(self) -> None:
        # What an earlier build left there may have been deleted since.
        shutil.rmtree(Path(self.build_lib, PACKAGE), ignore_errors=True)
        super().run()
        for source, place in packaged():
            target = Path(self.build_lib, PACKAGE, place)
            self.mkpath(str(target.parent))
            if place.suffix == ".py":
                target.write_text(moved(source.read_text(encoding="utf-8"), place.as_posix()), encoding="utf-8")
            else:
                self.copy_file(str(source), str(target), preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        moved_files = [str(Path(self.build_lib, PACKAGE, place)) for _, place in packaged()]
        return [*super().get_outputs(include_bytecode), *moved_files]


class NoEditableWheel(editable_wheel):
    """An editable install would lead to a checkout whose modules have other names than the package's."""

    def run(self) -> None:
        raise SetupError("Nothing needs an editable install: in a checkout run `python -m tailscope`.")


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildPy, "editable_wheel": NoEditableWheel})
