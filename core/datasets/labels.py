"""Which column of a table says the class of a picture: explicit, and refused where nothing says it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np

from core.datasets.cells import same_spelling, single_labels
from core.datasets.choices import FOLDER, NOTHING, Choices
from core.datasets.conventions import SUFFIXES
from core.datasets.formats.columns import Columns
from core.datasets.headings import IDS, PATHS, SPLIT_COLUMNS, by_name, label_columns
from core.datasets.levels import containers, in_split_order, same_split, split_name
from core.datasets.listing import by_class, some, unique
from core.errors import BadInput, UnreadableData

_SHOWN = 20
_NOT_CLASSES = frozenset(
    {*PATHS, *IDS, *SPLIT_COLUMNS, "width", "height", "size", "url", "md5", "sha1", "sha256", "caption", "captions"}
    | {"text", "title", "description", "license", "date", "time", "timestamp", "index", "row", "unnamed: 0"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """The class of every row of a table.

    Attributes:
        texts: class per row, empty where there is none; a place in ``listed`` as text when there is such a list.
        column: the column it comes from; empty for the folder of the picture.
        source: the same in words.
        odd: row -> why its cell is no single class.
        listed: names of the classes by index, where the table has them.
        others: further columns that could be the class.
        told: sentences on what was done to the labels.
    """

    texts: Sequence[str]
    column: str
    source: str
    odd: Mapping[int, str] = field(default_factory=dict)
    listed: Sequence[str] = ()
    others: Sequence[str] = ()
    told: Sequence[str] = ()

    @property
    def also(self) -> str:
        """A sentence on the alternatives, or nothing."""
        if not self.others:
            return ""
        return f"Also possible: --label-column {' or '.join(self.others[:3])}."

    def reason(self, row: int) -> str:
        """Why this row has no class."""
        return self.odd.get(row, "no class")

    def keys(self, texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """Class keys, and the labels int64 [n] of these rows."""
        if self.listed:
            return unique(self.listed), np.array([int(text) for text in texts], np.int64)
        return by_class(texts)


def classes_of(columns: Columns, where: str, choices: Choices = NOTHING, *, verbatim: bool = False) -> Classes:
    """Class of every row: from the column that was asked for, one that is called so, or the folder of the picture.

    Args:
        where: the column with paths; empty when there is none.
        verbatim: keep labels that differ by case or blanks apart.

    Raises:
        BadInput: the column that was asked for is not there.
        UnreadableData: nothing says the class; the message names the columns to choose from.
    """
    if choices.label_column and not (choices.label_column == FOLDER and FOLDER not in columns.values):
        return _from_column(columns, _asked(columns, choices.label_column), verbatim)
    folders = _folders(columns, where)
    if choices.label_column == FOLDER:
        if not any(folders):
            raise UnreadableData("The paths of the pictures have no folders to take the class from.")
        return _by_folder(folders)
    named = [name for name in label_columns(list(columns.values), other_than=where) if not _are_paths(columns, name)]
    tried: dict[str, Mapping[int, str]] = {}
    for name in named:
        if len(columns.odd.get(name, ())) < columns.rows and any(columns.values[name]):
            found = _from_column(columns, name, verbatim, [other for other in named if other != name])
            tried[name] = found.odd
            if any(found.texts):
                _no_containers(sorted(set(found.texts)), f"The values of column “{name}”", found.listed)
                return found
    if named:
        raise UnreadableData(_not_single(columns, named[0], tried.get(named[0], {})))
    if refused := next((f"“{n}” has the type {t}" for n, t in columns.types.items() if label_columns([n])), ""):
        raise UnreadableData(f"The column {refused}, which holds no classes. {_ways(columns, where)}")
    return _unnamed(columns, where, folders, verbatim)


def choose_split(columns: Columns, labelled: Sequence[bool], choices: Choices) -> tuple[str, list[bool], str]:
    """The rows to use when a column tells splits apart.

    Args:
        labelled: per row, whether it has a class and a picture.

    Returns:
        the split (empty without such a column), whether each row belongs to it, and the column.

    Raises:
        BadInput: there is no such column, or the split that was asked for is not in it.
    """
    column = by_name(columns.values, SPLIT_COLUMNS)
    values = columns.values.get(column, ())
    seen = in_split_order(set(values))
    if not seen or sum(map(bool, map(split_name, values))) * 2 < len(values):
        if choices.split:
            raise BadInput(f"The table has no column that tells splits apart, so there is no split {choices.split!r}.")
        return "", [True] * columns.rows, ""
    if choices.split:
        wanted = [value for value in dict.fromkeys(values) if same_split(choices.split, value)]
        if not wanted:
            raise BadInput(f"Column “{column}” has no split {choices.split!r}; it has {', '.join(seen)}.")
        return wanted[0], [value in wanted for value in values], column
    for split in seen:
        if any(has and value == split for has, value in zip(labelled, values, strict=True)):
            return split, [value == split for value in values], column
    return "", [True] * columns.rows, ""


def _asked(columns: Columns, name: str) -> str:
    found = by_name(columns.values, [name, name.strip().casefold()])
    if found:
        return found
    if name in columns.types:
        raise BadInput(f"Column “{name}” has the type {columns.types[name]}, which holds no classes.")
    raise BadInput(f"There is no column “{name[:80]}”; the columns are {_listed(columns)}.")


def _from_column(columns: Columns, name: str, verbatim: bool, others: Sequence[str] = ()) -> Classes:
    source = f"class from column “{name}”"
    odd = dict(columns.odd.get(name, {}))
    names = (columns.classes or {}).get(name)
    if names:
        texts = [
            text if text.isdecimal() and int(text) < len(names) else str(names.index(text)) if text in names else ""
            for text in columns.values[name]
        ]
        for row, (text, raw) in enumerate(zip(texts, columns.values[name], strict=True)):
            if raw and not text:
                odd.setdefault(row, "no class")
        return Classes(texts=texts, column=name, source=source, odd=odd, listed=names, others=others)
    texts, several = single_labels(columns.values[name])
    if len(several) * 2 > columns.rows and any("several" in reason for reason in several.values()):
        raise UnreadableData(
            f"Column “{name}” holds several labels a row ({some([columns.values[name][row] for row in several][:1])}): "
            "only pictures with one class can be correct or wrong."
        )
    odd |= several
    told: list[str] = []
    if not verbatim:
        texts, told = same_spelling(texts)
    return Classes(texts=texts, column=name, source=source, odd=odd, others=others, told=told)


def _unnamed(columns: Columns, where: str, folders: list[str], verbatim: bool) -> Classes:
    """No column is called like a class: one-hot columns, the only column that could be one, or folders."""
    hot, possible = _one_hot(columns, other_than=where), _may_be_classes(columns, other_than=where)
    distinct = sorted(set(folders) - {""})
    by_folder = len(distinct) > 1 and not containers(distinct)
    rest = [name for name in columns.values if name != where]
    if hot and not by_folder:
        return _from_one_hot(columns, hot)
    if rest == ["column 2"] and where == "column 1" and not by_folder:  # a list without header: path, class
        possible = rest
    if len(possible) == 1 and (not by_folder or _same_groups(columns.values[possible[0]], folders)):
        return _from_column(columns, possible[0], verbatim)
    if by_folder and not possible:
        return _by_folder(folders)
    why = ""
    if by_folder:
        why = f" It could be {some(possible)} or the folder of the picture ({some(distinct)})."
    elif distinct:
        alone = "" if len(distinct) > 1 else " alone"
        why = f" The folders of the pictures ({some(distinct)}{alone}) are not taken for classes."
    raise UnreadableData(f"No column says the class of a picture.{why} {_ways(columns, where)}")


def _may_be_classes(columns: Columns, *, other_than: str = "") -> list[str]:
    """Columns of another name that could hold classes: text or whole numbers that repeat, and not what they are for."""
    found = []
    for name, values in columns.values.items():
        some = [value for value in values if value]
        if name == other_than or name.strip().casefold() in _NOT_CLASSES or not some:
            continue
        distinct = set(some)
        number = all(re.fullmatch(r"-?[0-9]*\.?[0-9]+(e-?[0-9]+)?", value.casefold()) for value in distinct)
        if 2 <= len(distinct) <= len(some) / 2 and max(map(len, distinct)) <= 200 and not number:
            found.append(name)
    return found


def _one_hot(columns: Columns, *, other_than: str = "") -> list[str]:
    """Columns of zeros and ones of which just one is one in most rows: each is a class; none otherwise."""
    flags = {"0", "1", "0.0", "1.0", "true", "false"}
    found = [
        name
        for name, values in columns.values.items()
        if name != other_than
        and name.strip().casefold() not in _NOT_CLASSES
        and values
        and {value.casefold() for value in values} <= flags
    ]
    if len(found) < 2:
        return []
    marked = np.array([[_is_set(value) for value in columns.values[name]] for name in found]).sum(0)
    return found if (marked == 1).mean() > 0.5 else []


def _is_set(value: str) -> bool:
    """Whether a cell of a one-hot column is one."""
    return value.casefold() in ("1", "1.0", "true")


def _ways(columns: Columns, where: str) -> str:
    rest = [name for name in columns.values if name != where]
    first = f"--label-column NAME ({', '.join(rest[:_SHOWN])})" if rest else "add a column “label”"
    folder = ", or --label-column folder for the folder of the picture" if where else ""
    return f"Say which: {first}{folder}."


def _not_single(columns: Columns, name: str, odd: Mapping[int, str]) -> str:
    reasons = columns.odd.get(name, {}) or odd
    why = f"; the first: {next(iter(reasons.values()))}" if reasons else ""
    return (
        f"Column “{name}” holds no single class in any row{why}. Choose another with --label-column, or write one "
        "class a row as text or as a whole number."
    )


def _from_one_hot(columns: Columns, names: Sequence[str]) -> Classes:
    texts, odd = [], {}
    for row in range(columns.rows):
        marked = [name for name in names if _is_set(columns.values[name][row])]
        texts.append(marked[0] if len(marked) == 1 else "")
        if len(marked) > 1:
            odd[row] = f"several labels ({', '.join(marked)[:80]})"
    return Classes(texts=texts, column="", source=f"class from the {len(names)} columns of 0 and 1", odd=odd)


def _folders(columns: Columns, where: str) -> list[str]:
    return [PurePath(path.replace("\\", "/")).parent.name for path in columns.values.get(where, ())]


def _by_folder(folders: list[str]) -> Classes:
    return Classes(texts=folders, column="", source="class from the folder of the picture")


def _same_groups(values: Sequence[str], folders: Sequence[str]) -> bool:
    pairs = set(zip(values, folders, strict=True))
    return len(pairs) == len(set(values)) == len(set(folders))


def _are_paths(columns: Columns, name: str) -> bool:
    given = [value for value in columns.values[name][:200] if value]
    return sum(Path(value).suffix.lower() in SUFFIXES for value in given) * 2 > len(given)


def _no_containers(keys: Sequence[str], what: str, listed: Sequence[str]) -> None:
    alike = [] if listed else containers([key for key in keys if key])
    if alike:
        raise UnreadableData(
            f"{what} are called like containers or splits ({some(alike)}), not like classes. "
            "If they are the classes, ask for that column with --label-column."
        )


def _listed(columns: Columns) -> str:
    return ", ".join([*columns.values, *columns.types][:_SHOWN])
