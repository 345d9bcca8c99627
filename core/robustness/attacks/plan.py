"""What is attacked how: one attack at one strength, and the images it is tried on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from core.robustness.attacks import find, loss_of, settings_of

Units = Literal["pixel", "normalised"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One attack at one strength.

    Attributes:
        attack: id; eps: in 255ths of ``units``, None where there is none; preset, loss: the attack's own by default.
        units: ``pixel`` of [0, 1], or ``normalised``: after the model's mean and standard deviation, where
            arXiv 2403.10499 has its ε (times the standard deviation in pixels, about a quarter for CLIP's).
        seed: of what the attack draws.
    """

    attack: str
    eps: float | None = None
    units: Units = "pixel"
    preset: str = ""
    loss: str = ""
    seed: int = 0

    @property
    def about(self) -> dict[str, Any]:
        """All that decides what the attack does, as JSON."""
        attack = find(self.attack)
        chosen = {"settings": dict(settings_of(attack, self.preset)), "loss": loss_of(attack, self.loss)}
        if attack.package:
            chosen["package"] = attack.package
        if attack.one_by_one:
            chosen["drawn"] = "for each image"
        return {"attack": self.attack, "eps": self.eps, "units": self.units, "seed": self.seed, **chosen}
