"""What a person changes is seen on every page that shows it: prompts, counts, class names, a picture, weights.

Two servers are led through the same changes, one forwards in tabs that stay open, one backwards in new tabs. A number
that outlives its input on one of them is not what the other shows.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.cli.app import app
from core.deck import store as deck_store
from core.deck.deck import Deck
from core.models.encoder import load_encoder
from tests import tiny
from tests.helpers.tab import Tab, tab
from tests.live import Live, serving

pytestmark = pytest.mark.slow

KEYS = sorted(
    f"{attribute} {thing}"
    for attribute in ("red", "moss covered", "old")
    for thing in ("goldfish", "tench", "garbage truck", "tabby cat")
)
RENAMED, CHANGED, OTHER = KEYS[-1], KEYS[0], KEYS[1]
COUNTS = [3**power for power in range(12)]
PROMPTS = {False: ("a photo of a {}.", "art of a {}"), True: ("seven of the {}", "behind the {} at night")}

FOLDER = "a-folder-whose-name-is-as-long-as-what-is-shown-of-a-path-that-is-too-long-for-its-place"
OWN = {"id", "form_id", "deferred_file_id", "set_value", "raw_values", "hash", "url", "chosen"}
"""Fields of the protocol that belong to one tab or one server."""
CONFIG = {**tiny.CLIP, "vision_cfg": {**tiny.CLIP["vision_cfg"], "image_size": 64, "patch_size": 16}}
"""As many pixels as the icon models have, so that attacks can be carried from one to the other."""
KINDS = ("prompts", "imported", "counted", "names", "picture", "weights")
NUMBERS = {"prompts", "names", "picture", "weights"}
COUNTED = {"imported", "counted"}


@dataclass(frozen=True, eq=False)
class View:
    """One part of a page, its address, and the changes that it shows.

    Attributes:
        press: the button that starts its computation. stays: changes after which it may look as before.
    """

    page: str
    shows: set[str]
    query: dict[str, str | list[str]] = field(default_factory=dict)
    press: str = ""
    stays: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return " ".join([self.page, *(str(value) for value in self.query.values() if isinstance(value, str))])


def views() -> tuple[View, ...]:
    """Every part of every page that shows one of the inputs; ``{root}`` stands for the world's folder."""
    picture, model = f"{CHANGED}/1.png", "local-dir:{root}/other"
    lab: dict[str, str | list[str]] = {"lenses": ["{root}/mine.txt", "class"]}
    shifts: dict[str, str | list[str]] = {
        "shifts": "{root}/shifted", "shift-models": ["local-dir:{root}/model", model],
        "shift-model": "local-dir:{root}/model",
    }  # fmt: skip
    one: dict[str, str | list[str]] = {"corruptions-class": CHANGED, "shot": picture}
    return (
        View("explore", NUMBERS | COUNTED),
        View("explore", NUMBERS | COUNTED, {"image": picture}),
        View("frequency", NUMBERS | COUNTED, {"overlay": ["prompts: class"]}),
        View("tail", NUMBERS | COUNTED),
        *(View("failures", NUMBERS, {"fail": part}, stays={"picture"}) for part in ("pairs", "matrix", "names", "why")),
        *(View("failures", NUMBERS | COUNTED, {"fail": part}) for part in ("worst",)),
        View("failures", {"prompts", "names", "weights"}, {"fail": "labels"}),
        View("lab", NUMBERS | COUNTED, lab),
        View("lab", NUMBERS | COUNTED, {**lab, "lab-view": "classes"}),
        View("lab", NUMBERS | COUNTED, {**lab, "lab-view": "frequency"}, stays={"picture"}),
        View("lab", NUMBERS, {**lab, "lab-view": "flips", "image": picture}),
        View("lab", NUMBERS, {**lab, "lab-view": "rename", "renames": f"{OTHER} → crimson koi"}, stays={"picture"}),
        View("lab", NUMBERS, {"lenses": ["{root}/mine.txt", f"{model}::class"]}),
        View("inspector", {"prompts", "names", "weights"}, {"inspector-class": OTHER}),
        View("inspector", NUMBERS, {"inspect": "two classes"}),
        View("inspector", NUMBERS, {"inspect": "how many"}, "Draw the curve"),
        View("shifts", NUMBERS, {**shifts, "shifts-view": "board"}),
        View("shifts", NUMBERS | {"imported"}, {**shifts, "shifts-view": "head and tail"}, stays={"picture", "names"}),
        View("shifts", NUMBERS, {"shifts-view": "overlap", "overlap-set": "{root}/copies"}, stays=NUMBERS),
        View("corruptions", NUMBERS, {**one, "corruption-view": "one picture", "other": model}),
        View("corruptions", NUMBERS, {**one, "corruption-view": "sequences"}),
        View("attacks", NUMBERS, {"attacks-view": "one picture", "image": picture}),
        View("attacks", NUMBERS | {"imported"},
             {"attacks-view": "accuracy", "attack-curve": "FGSM", "attack-who": "{root}/mine.txt"},
             "Measure", stays={"picture", "names"}),
        View("attacks", NUMBERS, {"attacks-view": "minimal ε", "attack-minimal": "FGSM"}, "Measure"),
        View("attacks", NUMBERS, {"attacks-view": "transfer", "attack-transfer": "FGSM",
                                  "transfer-with": "icon-RN,icons-10k"}, "Measure", stays={"picture"}),
        *(View("composition", {"prompts", "picture", "weights"}, {"composition": part})
          for part in ("errors", "pairs", "embedding", "composer")),
        View("composition", {"prompts", "picture", "weights"}, {"composition": "models",
                                                               "indistribution": "{root}/shifted"}, stays={"picture"}),
        View("among", {"names"}),
        View("counts", {"counted"}, {"counted": "mine"}),
        View("data", {"names"}, {"show": "image sets"}),
    )  # fmt: skip


VIEWS = views()


class World:
    """A model, images, prompts and counts on this disk, and a server that shows them."""

    def __init__(self, root: Path, live: Live) -> None:
        self.root, self.live = root, live
        for number, key in enumerate(KEYS):
            for copy in range(2):
                _paint(root / "photos" / key / f"{copy}.png", 2 * number + copy)
            _paint(root / "shifted" / key / "0.png", 100 + number)
        for key in KEYS[:6]:
            shutil.copytree(root / "photos" / key, root / "copies" / key)
        for name, seed in (("other", 7), ("first", 0), ("second", 3)):
            tiny.save(root / name, CONFIG, seed=seed)
        shutil.copytree(root / "first", root / "model")
        (root / "concepts.json").write_text(json.dumps(KEYS))
        for kind in ("prompts", "imported", "counted"):
            self.turn(kind, on=False)

    def query(self, view: View, counts: str = "imported") -> dict[str, str | list[str]]:
        """The address of a view in this world."""
        found: dict[str, str | list[str]] = {
            "model": "local-dir:{root}/model", "set": "{root}/photos", "prompts": "{root}/mine.txt",
            "frequency": f"{counts}:mine", **view.query,
        }  # fmt: skip
        placed = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
        return {name: [one.replace("{root}", str(self.root)) for one in value] for name, value in placed.items()}

    def read(self, page: Tab, view: View) -> list[dict[str, Any]]:
        """What a view shows, without what differs between servers: ids, the folder, the time of day."""
        shown = page.look()
        if view.press and page.has(view.press):
            page.press(view.press)
            shown = page.look()  # the head of the page is drawn before the answer is there
        return [_plain(one, self.root) for one in shown]

    def expected(self, on: Sequence[str], counts: str) -> list[tuple[str, int, float]]:
        """Concept, count and accuracy in percent after these changes, from vectors and nothing else of the product."""
        names = ["lantern" if key == RENAMED and "names" in on else key for key in KEYS]
        encoder = load_encoder(f"local-dir:{self.root / 'model'}")
        texts = [[form.format(name) for form in PROMPTS["prompts" in on]] for name in names]
        means = np.stack([_unit(encoder.encode_texts(listed)).mean(0) for listed in texts])
        files = [self.root / "photos" / key / f"{copy}.png" for key in KEYS for copy in range(2)]
        pictures = _unit(encoder.encode_images([encoder.preprocess(Image.open(file)) for file in files]))
        right = (pictures @ _unit(means).T).argmax(1) == np.repeat(np.arange(len(KEYS)), 2)
        listed = (COUNTS if counts == "imported" else [*range(1, len(KEYS) + 1)])[:: -1 if counts in on else 1]
        return list(zip(names, listed, (100 * right.reshape(-1, 2).mean(1)).tolist(), strict=True))

    def turn(self, kind: str, *, on: bool) -> None:
        """Make one change, or take it back."""
        if kind == "prompts":
            (self.root / "mine.txt").write_text("\n".join(PROMPTS[on]))
        elif kind == "weights":
            source = self.root / ("second" if on else "first")
            shutil.copyfile(source / "open_clip_model.safetensors", self.root / "model" / "open_clip_model.safetensors")
        elif kind == "names":
            self._rename(on)
        elif kind == "picture":
            self._repaint(on)
        else:
            self._count(kind, COUNTS[::-1] if on else COUNTS)

    def _count(self, kind: str, counts: Sequence[int]) -> None:
        """Count captions, or import a table, again under the same name."""
        if kind == "imported":
            file = self.root / "counts.csv"
            file.write_text("concept,count\n" + "".join(f"{k},{n}\n" for k, n in zip(KEYS, counts, strict=True)))
            asked = ["import", str(file)]
        else:
            file = self.root / "captions.txt"
            # Ranks in place of counts: as many orders are told apart, in 78 captions.
            lines = [f"a {key}" for n, key in zip(np.argsort(counts) + 1, KEYS, strict=True) for _ in range(n)]
            file.write_text("\n".join(lines))
            asked = ["count", str(file), "--concepts", str(self.root / "concepts.json"), "--workers", "1"]
            asked += ["--out", str(self.root / "counted")]
        with self._own_cache():
            done = CliRunner().invoke(app, ["frequency", *asked, "--name", "mine"])
        assert done.exit_code == 0, done.output

    def deck(self) -> Deck:
        """What is pinned."""
        with self._own_cache():
            return deck_store.load().deck

    @contextmanager
    def _own_cache(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TAILSCOPE_CACHE", str(self.live.log.parent / "cache"))
            yield

    def _rename(self, on: bool) -> None:
        with tab(self.live, "data", **self.query(View("data", set(), {"show": "image sets"}))) as page:
            page.look()
            if on:
                page.write("Name", KEYS.index(RENAMED), "lantern")
                page.look()
            page.press("Keep 1 corrected name" if on else "Back to the original names")

    def _repaint(self, on: bool) -> None:
        """The files of a set are looked at every few seconds, so wait until its pictures have another address."""
        with tab(self.live, "explore", **self.query(View("explore", set(), {"concept": CHANGED}))) as page:
            before = _addresses(page.look())
            _paint(self.root / "photos" / CHANGED / "1.png", 99 if on else 2 * KEYS.index(CHANGED) + 1)
            while _addresses(page.look()) == before:
                pass


def _paint(path: Path, seed: int) -> None:
    """A striped picture of 32 by 32 pixels, another one for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    stripe = (x * random.integers(0, 3) + y * random.integers(1, 3)) // random.integers(1, 9) % 2
    Image.fromarray(random.integers(0, 255, (2, 3)).astype(np.uint8)[stripe]).save(path)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _plain(value: Any, root: Path) -> Any:
    if isinstance(value, dict):
        return {_plain(key, root): _plain(one, root) for key, one in value.items() if key not in OWN}
    if isinstance(value, list):
        return [_plain(one, root) for one in value]
    if not isinstance(value, str) or value.startswith('<img src="data:'):
        return None if isinstance(value, str) else value
    if value[:1] in ("{", "["):
        try:
            return _plain(json.loads(value), root)
        except ValueError:
            pass
    for spelled in (str(root), quote(str(root), safe="")):
        value = value.replace("\\", "").replace(spelled, "ROOT")
    return re.sub(r"in [\d.,]+\ss; counted on [\d-]+", "", value)


def alike(a: Any, b: Any) -> bool:
    """Whether two servers show the same: numbers may differ by what the batches that sentences are encoded in do."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-4) or (math.isnan(a) and math.isnan(b))
    if isinstance(a, str) and isinstance(b, str):
        return _THUMBS.sub("", a) == _THUMBS.sub("", b)  # an address tells when files were written, a copy's later
    return a == b


_THUMBS = re.compile(r"(?<=thumbs/)\w+(?=/)")


def source_of(kind: str) -> str:
    """The counts under which a change is looked at."""
    return "counted" if kind == "counted" else "imported"


@contextmanager
def served(root: Path) -> Iterator[World]:
    """A world and its server, which knows no other folder."""
    with serving(root / "served", TAILSCOPE_DATA_ROOTS=str(root)) as live:
        yield World(root, live)


def _addresses(shown: Sequence[dict[str, Any]]) -> set[str]:
    return set(re.findall(r"thumbs/(\w+)/", json.dumps(shown)))


Look = list[dict[str, Any]]
Rows = list[tuple[str, int, float]]


@dataclass(frozen=True)
class Seen:
    """What one change did to a view.

    Attributes:
        before, after: in a tab that stayed open; other: on the server that never saw the state before.
        expected: concept, count and accuracy in percent, computed here.
    """

    before: Look
    after: Look
    other: Look
    expected: Rows


PINNED = View("explore", NUMBERS | {"imported"}, {"concept": CHANGED})
"""A concept that is pinned before and after every change."""


@dataclass
class Pins:
    """The deck before each change and at the end, with one more pin each, and its page at the end.

    Attributes:
        of_old_numbers: after a pin beside numbers whose picture had just been changed.
    """

    decks: list[Deck] = field(default_factory=list)
    of_old_numbers: Deck = field(default_factory=Deck)
    page: Look = field(default_factory=list)


CASES = [(kind, view) for kind in KINDS for view in VIEWS if kind in view.shows]


@pytest.fixture(scope="module")
def pins() -> Pins:
    return Pins()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, pins: Pins) -> dict[tuple[str, View], Seen]:
    """Every change on every view that shows it."""
    latest: dict[tuple[str, View], Look] = {}
    found: dict[tuple[str, View], tuple[Look, Look, Rows]] = {}
    with ExitStack() as stack:
        world = stack.enter_context(served(tmp_path_factory.mktemp("one") / FOLDER))
        tabs: dict[tuple[str, View], Tab] = {}
        for kind, view in CASES:
            place = source_of(kind), view
            if place not in tabs:
                tabs[place] = stack.enter_context(tab(world.live, view.page, **world.query(view, *place[:1])))
                latest[place] = world.read(tabs[place], view)
        pinning = stack.enter_context(tab(world.live, PINNED.page, **world.query(PINNED)))
        pinning.look()
        for number, kind in enumerate(KINDS):
            if kind in PINNED.shows:
                pinning.press("Pin concept")
                pins.decks.append(world.deck())
            world.turn(kind, on=True)
            if kind == "picture":  # this tab still shows the numbers of the old one
                pinning.press("Pin concept")
                pins.of_old_numbers = world.deck()
            pinning.look()
            expected = world.expected(KINDS[: number + 1], source_of(kind))
            for _, view in (case for case in CASES if case[0] == kind):
                place = source_of(kind), view
                before, latest[place] = latest[place], world.read(tabs[place], view)
                found[kind, view] = before, latest[place], expected
        pinning.press("Pin concept")
        pins.decks.append(world.deck())
        with tab(world.live, "deck") as page:
            pins.page = page.look()
    other: dict[tuple[str, View], Look] = {}
    with served(tmp_path_factory.mktemp("two") / FOLDER) as world:
        for kind in KINDS:
            world.turn(kind, on=True)
        for kind in reversed(KINDS):
            for _, view in (case for case in CASES if case[0] == kind):
                with tab(world.live, view.page, **world.query(view, source_of(kind))) as page:
                    other[kind, view] = world.read(page, view)
            world.turn(kind, on=False)
    return {case: Seen(found[case][0], found[case][1], other[case], found[case][2]) for case in CASES}


@pytest.mark.parametrize(("kind", "view"), [pytest.param(*case, id=" ".join(map(str, case))) for case in CASES])
def test_a_change_is_seen_on_every_page_that_shows_it(
    seen: Mapping[tuple[str, View], Seen], kind: str, view: View
) -> None:
    found = seen[kind, view]
    assert kind in view.stays or found.after != found.before, "the page shows what it showed before the change"
    assert [pair for pair in zip_longest(found.after, found.other) if not alike(*pair)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_are_those_of_a_computation_by_hand(seen: Mapping[tuple[str, View], Seen], kind: str) -> None:
    found = seen[kind, VIEWS[0]]
    table = next(one["arrow_data"] for one in found.after if one["kind"] == "dataframe")
    shown = zip(table["name"], table["count"], table["accuracy"], strict=True)
    assert sorted(shown) == sorted(found.expected)


def test_pins_keep_the_values_of_then_and_say_so(seen: Mapping[tuple[str, View], Seen], pins: Pins) -> None:
    for before, after in pairwise(pins.decks):
        assert after.slides[:-1] == before.slides
        old, new = before.slides[-1], after.slides[-1]
        assert old.source != new.source
    assert pins.of_old_numbers in pins.decks, "old numbers were pinned with a new picture"
    slides = pins.decks[-1].slides
    inputs = [slide.source.rpartition("inputs ")[2] for slide in slides]
    assert len(set(inputs)) == len(slides) == 1 + len(PINNED.shows)
    shown = json.dumps(pins.page, ensure_ascii=False)
    assert slides[0].origin.endswith(f"inputs {inputs[0]} · pinned {slides[0].pinned}")
    for slide in slides:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", slide.pinned)
        assert slide.origin.rpartition("inputs ")[2] in shown
        assert slide.title in shown
