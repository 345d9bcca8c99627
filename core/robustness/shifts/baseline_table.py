"""The table of the icon world's standard models: trained, put on every shift, written as the boards read it.

The columns are those of imagenet-testbed's ``robustness_top1s.csv``: a model, then a setting a column in percent;
``icons-on-SET-classes`` is accuracy on the pictures of ``icons`` in the classes that occur in a set without all.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.datasets import open_set
from core.datasets.formats.icon_recipes import SHIFTS
from core.icons.training.baselines import BASELINES, STAND_IN
from core.icons.training.classifier import REFERENCE, WEIGHTS, train
from core.icons.training.fitting import CARD
from core.robustness.shifts.adversarial import is_current, write_adversarial
from core.robustness.shifts.baselines import ICONS, STANDARD
from core.robustness.shifts.measure import measure, measure_clean
from core.strict_json import write_json
from core.supervised.names import ICON, SHIPPED
from core.types import Report, silent

SET = "icons"
COMMAND = "python -m core icons baselines"


def write_baselines(out: Path = ICONS, *, work: Path, device: str | None = None, report: Report = silent) -> Path:
    """Train all baselines, keep the reference, filter the adversarial candidates with it, and write the table.

    Args:
        out: the CSV; a JSON file beside it records the runs and the pictures. work: folder for what need not be kept;
            a run found finished there is not trained again.
    """
    folders = {name: _trained(name, work=work, device=device) for name in BASELINES}
    keep_reference(folders[STAND_IN])
    if not is_current():
        write_adversarial(report=report)
    rows = {name: measured(f"{ICON}{folder}", report=report) for name, folder in folders.items()}
    write_table(rows, folders, out)
    return out


def measured(model: str, *, report: Report = silent) -> dict[str, float]:
    """Accuracy of one model on ``icons`` and on every shift, in percent, by column."""
    reference = open_set(SET)
    clean = measure_clean(model, reference, report=report)
    found = {SET: clean.share.value}
    for id in SHIFTS:
        for one in measure(model, reference, open_set(id), report=report):
            found[one.condition] = one.share.value
            if one.inside_n < clean.n:
                found[f"{SET}-on-{id}-classes"] = one.inside.value
    return {column: round(100 * value, 3) for column, value in found.items()}


def write_table(rows: Mapping[str, Mapping[str, float]], folders: Mapping[str, Path], out: Path) -> None:
    """Write the CSV and, beside it, how each model was trained and which pictures it saw."""
    columns = list(next(iter(rows.values())))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["model", "type", *columns])
    for name, row in sorted(rows.items(), key=lambda item: item[1][SET]):
        table.writerow([name, STANDARD, *(f"{row[column]:.3f}" for column in columns)])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text.getvalue(), encoding="utf-8")
    about = {
        "command": COMMAND,
        "reference": {"model": f"{ICON}{REFERENCE}", "baseline": STAND_IN},
        "sets": {id: open_set(id).fingerprint for id in (SET, *SHIFTS)},
        "models": {name: _about(folders[name]) for name in rows},
    }
    write_json(about, out.with_suffix(".json"))


def keep_reference(folder: Path) -> Path:
    """Put the baseline in AlexNet's place among the classifiers that ship."""
    target = SHIPPED / REFERENCE
    target.mkdir(parents=True, exist_ok=True)
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    card = {"name": REFERENCE, "baseline": card["name"], **{key: value for key, value in card.items() if key != "name"}}
    (target / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(folder / WEIGHTS, target / WEIGHTS)
    return target


def _trained(name: str, *, work: Path, device: str | None) -> Path:
    folder = work / "baselines" / name
    try:
        done = json.loads((folder / CARD).read_text(encoding="utf-8"))["run"] == asdict(BASELINES[name])
    except (OSError, ValueError, KeyError, TypeError):
        done = False
    if done and (folder / WEIGHTS).exists():
        return folder
    return train(name, BASELINES[name], out=work / "baselines", work=work, device=device, command=COMMAND)


def _about(folder: Path) -> dict[str, Any]:
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    return {key: card[key] for key in ("run", "parameters", "training_images", "steps", "torch")}
