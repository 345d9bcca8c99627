"""What stands in an address: a name outside the sidebar belongs to one page, and old addresses lead to new ones."""

from __future__ import annotations

import ast
import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from core.runtime.moved import Moved
from pages import registry

ROOT = Path(__file__).resolve().parents[1]
Place = tuple[str, str]
"""Module and the name of what it defines."""


def read() -> tuple[dict[str, ast.Module], dict[Place, ast.AST | Place]]:
    """The modules of the pages, and what their names stand for: a definition, or the name of another module."""
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): ast.parse(file.read_text(encoding="utf-8"))
        for file in (ROOT / "pages").rglob("*.py")
    }
    found: dict[Place, ast.AST | Place] = {}
    for module, tree in modules.items():
        for step in tree.body:
            if isinstance(step, ast.ImportFrom) and (step.module or "").startswith("pages"):
                found |= {(module, one.asname or one.name): (str(step.module), one.name) for one in step.names}
            elif isinstance(step, ast.FunctionDef | ast.ClassDef):
                found[module, step.name] = step
            elif isinstance(step, ast.Assign):
                (target,) = step.targets
                many = isinstance(target, ast.Tuple) and isinstance(step.value, ast.Tuple)
                pairs = zip(target.elts, step.value.elts, strict=True) if many else [(target, step.value)]
                found |= {(module, name.id): value for name, value in pairs if isinstance(name, ast.Name)}
    return modules, found


MODULES, NAMES = read()


def leads(module: str, node: ast.AST) -> Place | None:
    """Where the thing is defined that an expression names, as ``draw`` or ``flips.draw``; None outside the pages."""
    at = (module, node.id) if isinstance(node, ast.Name) else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        base = NAMES.get((module, node.value.id))
        at = (".".join(base), node.attr) if isinstance(base, tuple) else None
    while isinstance(further := NAMES.get(at) if at else None, tuple):
        at = further
    return at if at in NAMES else None


def key_of(module: str, call: ast.Call) -> ast.AST | None:
    """What is passed, or else stands in the definition, as ``key``."""
    passed = {one.arg: one.value for one in call.keywords}
    definition = NAMES.get(leads(module, call.func) or ("", ""))
    if "key" in passed or not isinstance(definition, ast.FunctionDef):
        return passed.get("key")
    names = [one.arg for one in definition.args.args]
    if "key" in names and len(call.args) > names.index("key"):
        return call.args[names.index("key")]
    defaults = zip(definition.args.kwonlyargs, definition.args.kw_defaults, strict=True)
    return next((value for name, value in defaults if name.arg == "key"), None)


def binds(module: str, call: ast.Call, binders: set[Place]) -> bool:
    """Whether a call makes a control whose value stands in the address."""
    passed = {one.arg: ast.unparse(one.value) for one in call.keywords if one.arg in ("bind", "linked", None)}
    if passed.get("bind") == "None" or passed.get("linked") == "False":
        return False
    return "bind" in passed or "'bind'" in passed.get(None, "") or leads(module, call.func) in binders


def binders() -> set[Place]:
    """The functions of the pages that bind the ``key`` that they are given."""
    found: set[Place] = set()
    while True:
        more = {
            at
            for at, node in NAMES.items()
            if isinstance(node, ast.FunctionDef)
            for call in ast.walk(node)
            if isinstance(call, ast.Call) and binds(at[0], call, found)
            if isinstance(key := key_of(at[0], call), ast.Name) and key.id == "key"
            if "key" in {one.arg for one in (*node.args.args, *node.args.kwonlyargs)}
        }
        if more <= found:
            return found
        found |= more


def bound(module: str, node: ast.AST, known: set[Place], seen: set[Place]) -> set[str]:
    """The names that what a piece of code does, or leads to, binds; those of ``address.own`` are the page's anyhow."""
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and binds(module, part, known):
            key = key_of(module, part)
            key = NAMES.get(leads(module, key) or ("", ""), key) if key else None
            if isinstance(key, ast.Constant):
                found.add(key.value)
            else:
                assert isinstance(key, ast.Name), f"{module} binds {ast.unparse(part)}: give a name that can be read"
        if (place := leads(module, part)) and place not in seen:
            seen.add(place)
            definition = NAMES[place]
            assert isinstance(definition, ast.AST)
            found |= bound(place[0], definition, known, seen)
    return found


def test_no_two_pages_bind_one_name() -> None:
    """Back to a page loses what the page that is left has under the same name."""
    known = binders()
    pages = defaultdict(set)
    for info in registry.PAGES:
        module = f"pages.{info.id}.page"
        for name in bound(module, MODULES[module], known, set()):
            pages[name].add(info.id)
    assert {"lab-view", "published-of", "attack", "tail-page", "look", "lab-sets", "lab-on"} <= set(pages)
    assert {name: found for name, found in pages.items() if len(found) > 1} == {}
    sidebar = bound("pages._shell", MODULES["pages._shell"], known, set())
    assert {"concept", "selection", "image", "set", "prompts"} <= sidebar
    assert sidebar & set(pages) == set()


@pytest.mark.parametrize(
    ("path", "query", "to"),
    [
        ("/lab", "lenses=simple&view=flips", "lab?lenses=simple&lab-view=flips"),
        ("/below/published", "of=RN50%20%C2%B7%20CC-3M&of=a&on=dtd",
         "published?published-of=RN50%20%C2%B7%20CC-3M&published-of=a&published-on=dtd"),
        ("/lab", "lab-view=view=of&reviewof=1", None),
        ("/lab", "", None),
        ("/static/view", "view=flips", None),
    ],
)  # fmt: skip
def test_old_addresses_lead_to_the_page_s_own_names(path: str, query: str, to: str | None) -> None:
    passed, sent = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    async def send(message: Any) -> None:
        sent.append(message)

    moved = Moved(app, pages={page.id for page in registry.PAGES}, keys=registry.ONCE_SHARED)
    scope = {"type": "http", "path": path, "query_string": query.encode(), "method": "GET", "headers": []}
    asyncio.run(moved(scope, None, send))  # type: ignore[arg-type]
    if to is None:
        assert passed == [scope]
    else:
        assert dict(sent[0]["headers"])[b"location"] == to.encode()
