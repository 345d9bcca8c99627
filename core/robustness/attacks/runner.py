"""One classifier under attack on one sample: every answer is kept batch by batch, so that a stopped run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from cache import keys
from core.errors import BadInput, ReadFailed, UnreadableData
from core.evaluation.evaluate import answer_key, results
from core.prompts import prompt_set
from core.robustness.attacks import find, guard, loss_of, perturb, settings_of
from core.robustness.attacks.deepfool import distance, nearest
from core.robustness.attacks.figures import Arrays
from core.robustness.attacks.plan import Plan, Units
from core.robustness.attacks.typographic import meaningless, overlay, wrong_words
from core.runtime import estimates
from core.runtime.content import pictures_digest
from core.runtime.estimates import Estimate
from core.runtime.machine import cores
from core.supervised import answers
from core.supervised import names as supervised
from core.supervised.scorer import Scorer, scorer_for
from core.types import ImageSet, Lens, Progress, Report, silent

SCHEMA = 1
"""Counts up when the same question would get other answers."""
TOP, HALVINGS = 16.0, 8
"""The search for an image's minimal ε ends at 16/255 and is exact to 16/2^8 = 1/16 of 1/255."""
BATCH = 16
"""Images attacked together: what a large tower's gradients take in memory."""


def identity(model: str, image_set: ImageSet, prompts: str) -> str:
    """Digest of all that decides what a classifier says of these images; computed without loading it."""
    if supervised.is_supervised(model):
        key = answers.answer_key(model, image_set)
    else:
        lens = Lens(model, image_set.id, prompts, precision="float32")
        key = answer_key(lens, image_set, prompt_set(prompts, image_set))
    # These answers are made from pixels, so no vectors tell when a picture has changed.
    return keys.digest([key, pictures_digest(image_set)])


class AttackRunner:
    """A model with its prompts before the sampled images; owned by one thread, like the encoders.

    Attributes:
        model, prompts: who is asked; ``prompts`` is ``supervised`` for a classifier without a text tower.
        image_set, rows: what is asked, int64 [n]; an unreadable image is left out of every answer.
    """

    def __init__(
        self,
        model: str,
        image_set: ImageSet,
        rows: Sequence[int] | np.ndarray,
        *,
        prompts: str = "simple",
        report: Report = silent,
    ) -> None:
        if len(image_set.keys) < 2:
            raise BadInput(f"{image_set.id} has {len(image_set.keys)} class: an attack needs another one to lead to.")
        if not image_set.has_images:
            raise BadInput(f"{image_set.id} holds embeddings without pictures: there are no pixels to attack.")
        self.model, self.image_set, self._done = model, image_set, (0, len(rows))
        self.prompts = supervised.PROMPTS if supervised.is_supervised(model) else prompts
        self.rows, self.words = np.asarray(rows, np.int64), ""
        self._report, self._identity = report, identity(model, image_set, prompts)
        self._scorer: Scorer | None = None
        self._computed, self._seconds = 0, 0.0
        self._pixels: dict[int, tuple[torch.Tensor, torch.Tensor, np.ndarray]] = {}

    @property
    def scorer(self) -> Scorer:
        """The classifier, loaded when first needed; valid until two others have been asked for."""
        if self._scorer is None:
            self._scorer = scorer_for(self.model, self.image_set, self.prompts)
        return self._scorer

    def clean(self) -> Arrays:
        """Unattacked: ``rows``, ``labels``, ``said``, ``saturated`` and ``flat`` (signs of masking), all [m]."""

        def work(x: torch.Tensor, y: torch.Tensor, start: int) -> Arrays:
            said, saturated, flat = guard.signs(self._logits, x, y)
            return {"said": _np(said), "saturated": _np(saturated), "flat": _np(flat)}

        return self._cell("clean", {}, work)

    def attacked(self, plan: Plan, *, guarded: bool = False) -> Arrays:
        """Under attack: ``said`` [m], and with ``guarded`` also ``margin_said``.

        Only images that are right unattacked are attacked: the others count as wrong whatever happens to them.
        ``margin_said`` is after a second run with the margin loss on what the first one left standing.
        """
        attack, guarded = find(plan.attack), _guarded(plan, guarded)

        def work(x: torch.Tensor, y: torch.Tensor, start: int) -> Arrays:
            said = self._said(x)
            right = said == y
            said[right] = self._said(self.perturbed(plan, start, right))
            found = {"said": _np(said)}
            if guarded:
                left = said == y
                margin = replace(plan, loss="margin")
                said = said.clone()
                said[left] = self._said(self.perturbed(margin, start, left))
                found["margin_said"] = _np(said)
            return found

        with self._measured(plan, guarded=guarded):
            return self._cell(f"{attack.title} {plan.eps:g}/255", {**plan.about, "guarded": guarded}, work)

    def expected(
        self, plan: Plan, *, guarded: bool = False, minimal: bool = False, targets: Sequence[AttackRunner] = ()
    ) -> Estimate | None:
        """How long ``attacked``, ``written`` or ``minimal`` takes here for what is not cached; None where all of it is.

        With targets it is crafting for these: ``transferred`` of those that lack it.

        At the rate of the latest run, else as many passes as the attack needs of a small linear classifier, at the rate
        of a pass with gradient that is timed now.
        """
        guarded = _guarded(plan, guarded) and not minimal
        attack, about = find(plan.attack), {**plan.about, "guarded": guarded}
        if attack.kind == "overlay":
            what, about = attack.title, plan.about
        else:
            what = f"{attack.title} {plan.eps:g}/255"
        if minimal:
            what, about = f"{attack.title}, minimal ε", {**plan.about, "eps": "minimal", "top": TOP}
        if targets:
            what, about = f"{attack.title} from {self.model}", {**plan.about, "surrogate": self._identity}
        lacking = [
            start
            for start in range(0, len(self.rows), BATCH)
            if any(results().get_arrays(one._key(what, about, start)) is None for one in targets or (self,))
        ]
        left = sum(len(self.rows[start : start + BATCH]) for start in lacking)
        if not left:
            return None
        rate = estimates.known(self._work(plan, guarded=guarded, minimal=minimal))
        if rate is None:
            searched = HALVINGS + 1 if minimal and attack.id != "deepfool" else 1
            rate = self._passes() / (passes(plan) * searched * (2 if guarded else 1))
        return Estimate(left, "attacked picture", rate)

    def _work(self, plan: Plan, *, guarded: bool = False, minimal: bool = False) -> str:
        how = f"{plan.attack} {plan.preset} {plan.loss}{' guarded' * guarded}{' minimal' * minimal}"
        return f"attack {self.model} by {how} on {self.scorer.device}, {cores()} cores"

    def _passes(self) -> float:
        """Pictures a second of a pass with gradient, measured on a few of the sample the first time."""
        work = f"gradients of {self.model} on {self.scorer.device}, {cores()} cores"
        if (rate := estimates.known(work)) is not None:
            return rate
        x = self.batch(0)[0][:4]
        for _ in range(2):  # the first pass warms up
            self._report(Progress(0, 0, f"Measuring how fast {self.model} is here"))
            start, pixels = time.perf_counter(), x.clone().requires_grad_()
            torch.autograd.grad(self.scorer.logits(pixels).sum(), pixels)[0].cpu()
            rate = len(x) / max(time.perf_counter() - start, 1e-9)
        assert rate is not None
        estimates.remember(work, rate)
        return rate

    @contextmanager
    def _measured(self, plan: Plan, *, guarded: bool = False, minimal: bool = False) -> Iterator[None]:
        """Keep the rate of what is attacked inside."""
        self._computed, self._seconds = 0, 0.0
        yield
        if self._seconds > 1:
            work = self._work(plan, guarded=guarded, minimal=minimal)
            estimates.remember(work, self._computed / self._seconds)

    def minimal(self, plan: Plan) -> Arrays:
        """Smallest ε in 255ths that breaks each image: ``eps`` [m], NaN where it is wrong unattacked, inf unbroken.

        DeepFool measures its distance to the boundary, however far; for other attacks it is found by eight halvings
        from 16/255, in which every image has a budget of its own.
        """
        attack = find(plan.attack)

        def work(x: torch.Tensor, y: torch.Tensor, start: int) -> Arrays:
            right = self._said(x) == y
            eps = torch.full((len(x),), torch.nan)
            x, y = x[right], y[right]
            if attack.id == "deepfool":
                settings = settings_of(attack, plan.preset)
                found = nearest(self._logits, x, y, self._unit(plan.units), **settings) if len(x) else x
                reached = distance(found, x, self._unit(plan.units))
                eps[right.cpu()] = torch.where(self._said(found) == y, torch.inf, reached).cpu()
            else:
                eps[right.cpu()] = self._halved(plan, start, right).cpu()
            return {"eps": eps.numpy()}

        with self._measured(plan, minimal=True):
            return self._cell(f"{attack.title}, minimal ε", {**plan.about, "eps": "minimal", "top": TOP}, work)

    def written(self, plan: Plan) -> Arrays:
        """With a wrong class's name written on it: ``said`` and ``word`` (class index), both [m].

        The control writes as many meaningless letters; ``word`` is then the class that is not written.
        """
        attack = find(plan.attack)
        settings = settings_of(attack, plan.preset)
        words = wrong_words(np.asarray(self.image_set.labels)[self.rows], len(self.image_set.keys), seed=plan.seed)
        word_of = dict(zip(self.rows.tolist(), words.tolist(), strict=True))

        def text(row: int) -> str:
            word = self.image_set.names[word_of[row]]
            return meaningless(word, seed=plan.seed * 1_000_003 + row) if attack.id == "letters" else word

        def work(x: torch.Tensor, y: torch.Tensor, start: int) -> Arrays:
            pixels = _np((255 * x).round().to(torch.uint8).permute(0, 2, 3, 1))
            rows = self.batch(start)[2].tolist()
            drawn = [
                overlay(picture, text(row), seed=plan.seed * 1_000_003 + row, **settings)[0]
                for picture, row in zip(pixels, rows, strict=True)
            ]
            asked = torch.from_numpy(np.stack(drawn)).to(x.device).permute(0, 3, 1, 2).float() / 255
            return {"said": _np(self._said(asked)), "word": np.array([word_of[row] for row in rows])}

        with self._measured(plan):
            return self._cell(attack.title, plan.about, work)

    def craft(self, plan: Plan) -> list[torch.Tensor]:
        """Adversarial pixels of every batch, crafted on this model for another one; on the CPU, nothing is kept."""
        found = []
        for start in self._starts(f"Crafting {find(plan.attack).title} {plan.eps:g}/255 on {self.model}"):
            found.append(self.perturbed(plan, start).cpu())
        return found

    def transferred(self, plan: Plan, surrogate: AttackRunner, craft: Callable[[], list[torch.Tensor]]) -> Arrays:
        """What this model says of pixels crafted on a surrogate: ``said`` [m]; ``craft`` is called when unknown."""
        about = {**plan.about, "surrogate": surrogate._identity}
        made: list[torch.Tensor] = []

        def work(x: torch.Tensor, y: torch.Tensor, start: int) -> Arrays:
            made[:] = made or craft()
            asked = made[start // BATCH].to(x.device)
            if asked.shape != x.shape:
                raise BadInput(
                    f"{self.model} looks at {x.shape[-1]} pixels and {surrogate.model} at {asked.shape[-1]}: "
                    "resizing would change ε, so a surrogate needs the same size."
                )
            return {"said": _np(self._said(asked))}

        return self._cell(f"{find(plan.attack).title} from {surrogate.model}", about, work)

    def perturbed(self, plan: Plan, start: int, chosen: torch.Tensor | None = None, eps: Any = None) -> torch.Tensor:
        """Adversarial pixels of the batch that begins at ``start``, or of the images of it that are ``chosen``.

        Args:
            chosen: bool [images of the batch]; eps: in place of the plan's, one or float32 [chosen, 1, 1, 1].
        """
        x, y, rows = self.batch(start)
        if chosen is not None:
            x, y, rows = x[chosen], y[chosen], rows[_np(chosen)]
        if not len(x):
            return x
        attack = find(plan.attack)
        strength = plan.eps if eps is None else eps
        if strength is None:
            raise BadInput(f"{attack.title} needs a strength.")
        budget = strength * self._unit(plan.units)

        def run(x: torch.Tensor, y: torch.Tensor, budget: torch.Tensor, drawn: int) -> torch.Tensor:
            seed = int(np.random.SeedSequence([plan.seed, drawn]).generate_state(1)[0])
            return perturb(attack, self._logits, x, y, budget, loss=plan.loss, preset=plan.preset, seed=seed)

        if not attack.one_by_one:
            return run(x, y, budget, start)
        each = zip(x.split(1), y.split(1), budget.expand(len(x), 3, 1, 1).split(1), rows.tolist(), strict=True)
        return torch.cat([run(*one) for one in each])

    def _halved(self, plan: Plan, start: int, chosen: torch.Tensor) -> torch.Tensor:
        x, y = (values[chosen] for values in self.batch(start)[:2])
        low, high = (torch.full((len(x), 1, 1, 1), value, device=x.device) for value in (0.0, TOP))
        if not len(x):
            return high.flatten()
        unbroken = self._said(self.perturbed(plan, start, chosen, high)) == y
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            stands = (self._said(self.perturbed(plan, start, chosen, middle)) == y)[:, None, None, None]
            low, high = torch.where(stands, middle, low), torch.where(stands, high, middle)
        return torch.where(unbroken, torch.inf, high.flatten())

    def _unit(self, units: Units) -> torch.Tensor:
        """A change of 1/255 in these units, in pixels of [0, 1]: float32 [1, 3, 1, 1]."""
        std = self.scorer.std if units == "normalised" else (1.0, 1.0, 1.0)
        return torch.tensor(std, dtype=torch.float32, device=self.scorer.device).view(1, 3, 1, 1) / 255

    def _logits(self, pixels: torch.Tensor) -> torch.Tensor:
        self._report(Progress(*self._done, self.words))  # so that Stop need not wait for the end of a batch
        return self.scorer.logits(pixels)

    @torch.no_grad()
    def _said(self, pixels: torch.Tensor) -> torch.Tensor:
        if not len(pixels):
            return torch.empty(0, dtype=torch.int64, device=pixels.device)
        return self._logits(pixels).argmax(1)

    def _starts(self, what: str) -> Iterator[int]:
        self.words = (
            f"{what}, {self.model}, {self.prompts}" if self.prompts != supervised.PROMPTS else f"{what}, {self.model}"
        )
        for start in range(0, len(self.rows), BATCH):
            self._done = start, len(self.rows)
            self._report(Progress(*self._done, self.words))
            yield start

    def _key(self, what: str, about: dict[str, Any], start: int) -> str:
        rows = self.rows[start : start + BATCH].tolist()
        question = {"schema": SCHEMA, "who": self._identity, "rows": rows, "what": what, **about}
        return f"attack:{keys.digest(question)}"

    def _cell(self, what: str, about: dict[str, Any], work: Callable[..., Arrays]) -> Arrays:
        parts = []
        for start in self._starts(what):
            key = self._key(what, about, start)
            found = results().get_arrays(key)
            if found is None:
                x, y, read = self.batch(start)
                began = time.perf_counter()
                found = {"rows": read, "labels": _np(y), **work(x, y, start)}
                self._seconds += time.perf_counter() - began
                self._computed += len(read)
                results().put_arrays(key, found)
            parts.append(found)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def batch(self, start: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        """Pixels, labels and rows of the readable images of one batch."""
        if start not in self._pixels:
            scorer = self.scorer  # loaded outside the loop: a model that cannot be opened is no unreadable image
            pictures, read, reason = [], [], ""
            rows = self.rows[start : start + BATCH].tolist()
            for row in rows:
                try:
                    pictures.append(scorer.pixels(self.image_set.image(row)))
                    read.append(row)
                except ReadFailed:
                    raise
                except UnreadableData as error:
                    reason = reason or str(error)
            if not read:
                raise BadInput(f"None of {len(rows)} sampled images of {self.image_set.id} can be read: {reason}")
            x = torch.from_numpy(np.stack(pictures)).to(scorer.device).permute(0, 3, 1, 2).float() / 255
            y = torch.from_numpy(np.asarray(self.image_set.labels)[read]).to(scorer.device)
            self._pixels[start] = x, y, np.array(read, np.int64)
        return self._pixels[start]


def _np(values: torch.Tensor) -> np.ndarray:
    return values.cpu().numpy()


def _guarded(plan: Plan, guarded: bool) -> bool:
    return guarded and loss_of(find(plan.attack), plan.loss) == "ce"


def passes(plan: Plan) -> int:
    """How often an attack asks for the scores of one picture, counted on a linear classifier of few pixels."""
    if find(plan.attack).kind == "overlay":
        return 1
    weights = torch.randn(3 * 16 * 16, 10, generator=torch.Generator().manual_seed(0))
    asked = 0

    def logits(pixels: torch.Tensor) -> torch.Tensor:
        nonlocal asked
        asked += len(pixels)
        return pixels.flatten(1) @ weights

    x = torch.full((1, 3, 16, 16), 0.5)
    y = (x.flatten(1) @ weights).argmax(1)
    # A change far too small to break it: an attack that ends early goes to its end.
    perturb(find(plan.attack), logits, x, y, torch.full((1, 3, 1, 1), 1e-6), loss=plan.loss, preset=plan.preset)
    return max(1, asked)
