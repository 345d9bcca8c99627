"""Where a fetched image set is put together, and the record of where it came from.

A set grows in ``sets/.partial/<id>/`` and moves to ``sets/<id>/`` when it is complete: whatever lies there can be used,
and an unfinished download goes on where it ended.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cache import keys
from cache.files import remove_orphans, write_bytes
from core.downloads import hub
from core.downloads.plan import Meter, Plan


def provenance(id: str) -> Mapping[str, Any] | None:
    """Where a fetched set came from (repository, commit, per_class, classes, left_out), or None while not complete."""
    try:
        return json.loads((keys.root() / "sets" / id / "provenance.json").read_text())
    except (OSError, ValueError):
        return None


def finished(id: str, files: Sequence[hub.RemoteFile], per_class: int | None) -> Plan | None:
    """The empty plan of a set that is on disk at this commit, with as many images of a class or all."""
    record = provenance(id)
    if not record or record["commit"] != files[0].in_repository.commit or record["per_class"] not in (None, per_class):
        return None
    site = Site(id, files, per_class)
    site.clear()  # after a run that was killed when all but this was done
    here = f"{id} is on this disk already, in {site.target}."
    return Plan(id, "set", tuple(files), 0, site.target, here, record["per_class"])


class Site:
    """Where one set is being put together: ``data`` becomes the set, ``work`` holds what resuming needs."""

    def __init__(self, id: str, files: Sequence[hub.RemoteFile], per_class: int | None) -> None:
        self.id, self.files, self.per_class = id, tuple(files), per_class
        self.repository = files[0].in_repository
        self.target = keys.root() / "sets" / id
        self._base = keys.root() / "sets" / ".partial" / id
        self._old = self._base / "replaced"
        self._place = self._base / f"{self.repository.commit[:16]}-{per_class or 'all'}"
        self.data, self.work = self._place / "data", self._place / "work"
        self.origin = f"{self.repository.id} (commit {self.repository.commit[:7]}) into {self.target}"

    def plan(self, size: int, sentence: str, build: Callable[[Meter], dict[str, Any]]) -> Plan:
        def work(meter: Meter) -> None:
            if finished(self.id, self.files, self.per_class):
                return  # another process was faster
            self.data.mkdir(parents=True, exist_ok=True)
            self.work.mkdir(parents=True, exist_ok=True)
            remove_orphans(self._place)  # what a killed run had in its hands would become part of the set
            with hub.download_errors(self.id):
                self._publish(build(meter))

        return Plan(self.id, "set", self.files, size, self.target, sentence, self.per_class, work)

    def _publish(self, facts: dict[str, Any]) -> None:
        record = {
            "id": self.id,
            "repository": self.repository.id,
            "commit": self.repository.commit,
            "endpoint": hub.endpoint(),
            "per_class": self.per_class,
            "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
            # A hub announces checksums of files, not of their parts.
            "checked": "sha256" if self.per_class is None else "sizes",
            "files": [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in self.files],
            **facts,
        }
        write_bytes(self.data / "provenance.json", json.dumps(record, indent=1, ensure_ascii=False).encode())
        shutil.rmtree(self._old, ignore_errors=True)
        if self.target.exists():
            self.target.rename(self._old)
        self.data.rename(self.target)
        shutil.rmtree(self._base, ignore_errors=True)  # another process may be clearing too

    def clear(self) -> None:
        """Delete what a finished set no longer needs."""
        for folder in (self._place, self._old):
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another selection of the set may be on its way there
            self._base.rmdir()


def note(path: Path, value: object) -> None:
    """Write JSON whole or not at all."""
    write_bytes(path, json.dumps(value).encode())
