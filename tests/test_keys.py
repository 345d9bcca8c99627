"""Digests name content: equal values share one, different values never do."""

from __future__ import annotations

import hashlib
import math
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache import keys

TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates included: file names have them
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def typed(value: Any) -> Any:
    """A value in which 1, 1.0 and True (equal in Python) differ, and the order of keys does not matter."""
    if isinstance(value, dict):
        return "dict", frozenset((key, typed(item)) for key, item in value.items())
    if isinstance(value, list):
        return "list", tuple(typed(item) for item in value)
    return type(value).__name__, repr(value)


@given(JSON, JSON)
def test_digest_tells_values_apart(one: Any, other: Any) -> None:
    assert (keys.digest(one) == keys.digest(other)) == (typed(one) == typed(other))


@given(st.dictionaries(TEXT, JSON, min_size=2, max_size=6), st.randoms())
def test_digest_does_not_see_the_order_of_keys(value: dict[str, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert keys.digest(dict(items)) == keys.digest(value)


@given(st.dictionaries(TEXT, JSON, min_size=1, max_size=5), st.data())
def test_digest_sees_every_field(value: dict[str, Any], data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(value)))
    changed = {**value, field: data.draw(JSON.filter(lambda new: typed(new) != typed(value[field])))}
    dropped = {name: item for name, item in value.items() if name != field}
    assert len({keys.digest(value), keys.digest(changed), keys.digest(dropped)}) == 3


@given(JSON)
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert typed(keys.from_json(keys.to_json(value))) == typed(value)


def test_digest_is_the_documented_one() -> None:
    text = '{"a":[1,2.5,true,null,"é"],"b":{}}'
    assert keys.digest({"b": {}, "a": (1, 2.5, True, None, "é")}) == hashlib.sha256(text.encode()).hexdigest()[:32]


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {2: 3}}, [b"bytes"], {"a": {1, 2}}, object(), Path("/")])
def test_digest_refuses_what_is_not_json(value: Any) -> None:
    with pytest.raises(TypeError):
        keys.digest(value)


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}])
def test_digest_refuses_what_json_has_no_word_for(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        keys.digest(value)


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b"{", b"", b"\xff", b"[" * 200_000, b'"a" "b"'])
def test_from_json_refuses_the_rest(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the class is the promise; the words are the parser's
        keys.from_json(data)


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert keys.file_digest(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_root_is_private_and_follows_the_variable(tmp_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys.root() == tmp_cache
    assert stat.S_IMODE(tmp_cache.stat().st_mode) == 0o700
    monkeypatch.setenv("TAILSCOPE_CACHE", str(tmp_cache / "deep" / "er"))
    assert keys.root().is_dir()
