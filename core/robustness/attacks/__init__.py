"""Adversarial attacks on a classifier of pixels: which there are, with whose settings, and one way to run any of them.

Every attack is a small loop around one differentiable ``logits(x in [0, 1])`` and stays within its budget (L-inf, per
channel) and within [0, 1]. This module itself needs no torch, so that pages can list the attacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from core import plugins
from core.errors import UnknownName

if TYPE_CHECKING:
    import torch

Kind = Literal["white-box", "score", "overlay", "control"]
Settings = Mapping[str, Any]

MANY = 0.05
"""Share of images from which a sign of gradient masking is reported."""

ROZ = "settings of arXiv 2403.10499 as released: step 0.15 ε"
_DIVERSE = {"smallest": 0.9, "probability": 0.5}
_SEARCH = {"alpha": 0.15, "queries": 100, "sigma": 1e-3}


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack that can be asked for.

    Attributes:
        id, title: how it is called in commands and on pages.
        kind: ``white-box`` follows gradients, ``score`` only asks for class scores, ``overlay`` writes on the picture,
            ``control`` does not look at the model.
        function: ``module:name`` below this package, or the function itself (of an extension).
        presets: name -> settings, the default first; steps ``alpha`` are fractions of ε.
        cites: where the method is from; preset_notes: where each preset's settings are from.
        losses: the losses it can climb, the default first.
        seeded: whether it draws random numbers.
        package: the package that offers it and its version, so that results fall when it changes; empty for built-in.
    """

    id: str
    title: str
    kind: Kind
    function: str | Callable[..., Any]
    presets: Mapping[str, Settings]
    cites: str
    preset_notes: Mapping[str, str]
    losses: tuple[str, ...] = ("ce", "margin")
    seeded: bool = False
    package: str = ""

    @property
    def transfers(self) -> bool:
        """Whether what is crafted on one model is worth trying on another."""
        return self.kind == "white-box" and self.id != "deepfool"

    @property
    def one_by_one(self) -> bool:
        """Whether every image has draws of its own: then what is asked beside it changes nothing."""
        return self.kind in ("score", "control")


def _attack(
    id: str,
    title: str,
    kind: Kind,
    function: str,
    cites: str,
    *presets: tuple[str, Mapping[str, Any], str],
    **rest: Any,
) -> Attack:
    settings = MappingProxyType({name: MappingProxyType(dict(found)) for name, found, _ in presets})
    return Attack(id, title, kind, function, settings, cites, {name: note for name, _, note in presets}, **rest)


_BUILT_IN: Mapping[str, Attack] = MappingProxyType(
    {
        one.id: one
        for one in (
            _attack(
                "fgsm", "FGSM", "white-box", "steps:fgsm", "Goodfellow et al., arXiv 1412.6572",
                ("paper", {}, "one step of ε"),
            ),
            _attack(
                "bim", "BIM", "white-box", "steps:bim", "Kurakin et al., arXiv 1607.02533",
                ("paper", {"alpha": 0.15, "steps": 10}, f"{ROZ}, 10 steps"),
                ("paper-minimal", {"alpha": 0.15, "steps": 20}, f"{ROZ}, 20 steps, as its search for minimal ε"),
            ),
            _attack(
                "mim", "MIM", "white-box", "steps:mim", "Dong et al., arXiv 1710.06081",
                ("paper", {"alpha": 0.15, "steps": 19, "decay": 1.0}, f"{ROZ}, 20 steps of which its loop runs 19"),
                ("paper-transfer", {"alpha": 0.15, "steps": 9, "decay": 1.0}, f"{ROZ}, transfer: its loop runs 9"),
            ),
            _attack(
                "dim", "DIM", "white-box", "steps:dim", "Xie et al., arXiv 1803.06978",
                ("paper", {"alpha": 0.15, "steps": 19, "decay": 1.0, **_DIVERSE}, f"{ROZ}, its loop runs 19"),
                ("paper-transfer", {"alpha": 0.15, "steps": 9, "decay": 1.0, **_DIVERSE}, f"{ROZ}, its loop runs 9"),
                seeded=True,
            ),
            _attack(
                "deepfool", "DeepFool", "white-box", "deepfool:deepfool", "Moosavi-Dezfooli et al., arXiv 1511.04599",
                ("paper", {"steps": 50, "overshoot": 0.02, "candidates": 10},
                 "L-inf form, 50 iterations, overshoot 0.02 as arXiv 2403.10499; the 10 likeliest classes as foolbox "
                 "(the paper searches all 1,000)"),
                losses=("logits",),
            ),
            _attack(
                "pgd", "PGD", "white-box", "steps:pgd", "Madry et al., arXiv 1706.06083",
                ("standard", {"alpha": 0.25, "steps": 20}, "the paper's CIFAR step of ε/4, 20 steps, random start"),
                seeded=True,
            ),
            _attack(
                "apgd", "APGD", "white-box", "apgd:apgd", "Croce and Hein, arXiv 2003.01690",
                ("short", {"steps": 20, "rho": 0.75}, "20 steps, as a first look"),
                ("autoattack", {"steps": 100, "rho": 0.75}, "100 steps, as in AutoAttack (one restart)"),
                losses=("ce", "margin", "dlr"), seeded=True,
            ),
            _attack(
                "nes", "NES", "score", "scores:nes", "Ilyas et al., arXiv 1804.08598",
                ("paper", {**_SEARCH, "steps": 10}, f"{ROZ}, 100 antithetic Gaussian directions, σ 1e-3, 10 steps"),
                ("paper-minimal", {**_SEARCH, "steps": 20}, f"{ROZ}, 20 steps, as its search for minimal ε"),
                losses=("margin", "ce"), seeded=True,
            ),
            _attack(
                "spsa", "SPSA", "score", "scores:spsa", "Uesato et al., arXiv 1802.05666",
                ("paper", {**_SEARCH, "steps": 10}, f"{ROZ}, 100 directions of ±1, σ 1e-3, 10 steps"),
                ("paper-minimal", {**_SEARCH, "steps": 20}, f"{ROZ}, 20 steps, as its search for minimal ε"),
                losses=("margin", "ce"), seeded=True,
            ),
            _attack(
                "typographic", "Typographic", "overlay", "typographic:overlay", "Goh et al., Distill 2021",
                ("paper", {"copies": 8, "size": 0.12}, "8 copies as arXiv 2403.10499; letters 12 % of the height"),
                ("paper-small", {"copies": 4, "size": 0.12}, "4 copies, as arXiv 2403.10499 for CIFAR-10"),
                losses=(), seeded=True,
            ),
            _attack(
                "letters", "Letters (control)", "overlay", "typographic:overlay", "control of the typographic attack",
                ("paper", {"copies": 8, "size": 0.12}, "as the typographic attack, its letters drawn at random"),
                losses=(), seeded=True,
            ),
            _attack(
                "noise", "Noise (control)", "control", "steps:noise", "control of every attack with an ε",
                ("signs", {}, "every value moved by the whole ε, up or down at random"),
                losses=(), seeded=True,
            ),
        )
    }
)  # fmt: skip


class _Attacks(Mapping[str, Attack]):
    """The built-in attacks, then those of extensions, which are looked for when somebody first reads it."""

    def _all(self) -> Mapping[str, Attack]:
        added = plugins.by_id("tailscope.attacks", Attack, lambda one: one.id, _BUILT_IN)
        return {**_BUILT_IN, **{id: _guarded(plugin) for id, plugin in added.items()}}

    def __getitem__(self, id: str) -> Attack:
        return self._all()[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _guarded(plugin: plugins.Plugin[Attack]) -> Attack:
    function = plugin.guarded(_function(plugin.value))
    return replace(plugin.value, function=function, package=plugin.package)


ATTACKS: Mapping[str, Attack] = _Attacks()


def find(id: str) -> Attack:
    """The attack of this id; UnknownName with those that exist."""
    if id not in ATTACKS:
        raise UnknownName(f"No attack is called {id!r}; there are {', '.join(ATTACKS)}.")
    return ATTACKS[id]


def settings_of(attack: Attack, preset: str = "") -> Settings:
    """The settings of a preset, the attack's first by default; UnknownName with those that exist."""
    preset = preset or next(iter(attack.presets))
    if preset not in attack.presets:
        raise UnknownName(f"{attack.title} has no preset {preset!r}; there are {', '.join(attack.presets)}.")
    return attack.presets[preset]


def loss_of(attack: Attack, loss: str = "") -> str:
    """The loss that is climbed, the attack's first by default; UnknownName with those it can climb."""
    if loss and loss not in attack.losses:
        raise UnknownName(f"{attack.title} cannot climb {loss!r}; it takes {', '.join(attack.losses) or 'no loss'}.")
    return loss or (attack.losses[0] if attack.losses else "")


def perturb(
    attack: Attack,
    logits: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    budget: torch.Tensor | float,
    *,
    loss: str = "",
    preset: str = "",
    seed: int = 0,
) -> torch.Tensor:
    """Adversarial pixels float32 [n, 3, h, w] in [0, 1] that differ from ``x`` by at most ``budget``.

    Args:
        logits: float32 [n, 3, h, w] in [0, 1] -> [n, c]; gradients are only asked for by white-box attacks.
        x: clean pixels; y: int64 [n], true classes.
        budget: greatest change of a pixel in [0, 1], broadcastable to x: one ε, one a channel, or one an image.
        seed: of what is random; the same seed and batch give the same pixels.
    """
    from torch import Generator

    if attack.kind == "overlay":
        raise UnknownName(f"{attack.title} draws a word on a picture and has no ε: use attacks.typographic.")
    options = dict(settings_of(attack, preset))
    if attack.seeded:
        options["generator"] = Generator().manual_seed(seed)
    if attack.losses and attack.id != "deepfool":
        options["loss"] = loss_of(attack, loss)
    return _function(attack)(logits, x, y, budget, **options)


def _function(attack: Attack) -> Callable[..., Any]:
    if not isinstance(attack.function, str):
        return attack.function
    module, _, name = attack.function.partition(":")
    return getattr(import_module(f"{__name__}.{module}"), name)
