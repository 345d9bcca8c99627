"""Attacks: the budget and the box always hold, accuracy is never helped, and other libraries find the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import UnknownName
from core.robustness.attacks import (
    ATTACKS,
    Attack,
    find,
    guard,
    losses,
    perturb,
    scores,
    settings_of,
    steps,
    typographic,
)
from core.robustness.attacks import deepfool as deepfool_module
from core.robustness.attacks.apgd import apgd
from tests.attacked import CLASSES, SIZE, ToyHead, pictures

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import foolbox
    import torchattacks
    from foolbox.attacks.gradient_descent_base import normalize_lp_norms

WITH_EPS = [one for one in ATTACKS.values() if one.kind != "overlay"]
EPS = 4 / 255
QUICK = {"nes": {"queries": 10, "steps": 3}, "spsa": {"queries": 10, "steps": 3}}


@pytest.fixture(scope="module")
def head() -> ToyHead:
    return ToyHead()


@pytest.fixture(scope="module")
def boxed(head: ToyHead) -> foolbox.PyTorchModel:
    return foolbox.PyTorchModel(head.eval(), bounds=(0, 1))


def accuracy(head: Callable, x: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        return float((head(x).argmax(1) == y).float().mean())


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score-based attacks with few queries."""
    original = settings_of

    def fewer(attack: Attack, preset: str = "") -> dict:
        return {**original(attack, preset), **QUICK.get(attack.id, {})}

    monkeypatch.setattr("core.robustness.attacks.settings_of", fewer)


@pytest.mark.parametrize("attack", WITH_EPS, ids=lambda one: one.id)
@pytest.mark.parametrize("kind", ["one", "per channel", "per image"])
def test_the_budget_and_the_box_hold_and_accuracy_is_not_helped(attack, kind, head, quick) -> None:
    x, y = pictures()
    y = torch.where(torch.arange(len(y)) % 4 == 0, (y + 1) % CLASSES, y)  # some are wrong from the start
    budget = {
        "one": torch.full((1, 1, 1, 1), EPS),
        "per channel": torch.tensor([0.5, 1.0, 2.0]).view(1, 3, 1, 1) * EPS,
        "per image": torch.linspace(0, 2 * EPS, len(x)).view(-1, 1, 1, 1),
    }[kind]
    found = perturb(attack, head, x, y, budget, seed=3)
    assert found.dtype == torch.float32
    assert ((found - x).abs() <= budget + 1e-7).all()
    assert found.min() >= 0
    assert found.max() <= 1
    with torch.no_grad():
        kept = ((head(found).argmax(1) == y) & (head(x).argmax(1) == y)).float().mean()
        assert (head(found).argmax(1) == y).float().mean() <= accuracy(head, x, y)
    assert kept <= accuracy(head, x, y)
    assert torch.equal(found, perturb(attack, head, x, y, budget, seed=3))


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(["fgsm", "bim", "mim", "dim", "pgd", "apgd", "deepfool"]),
    eps=st.floats(0, 1),
    seed=st.integers(0, 99),
    edge=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_no_budget_and_no_picture_leads_out_of_the_box(name: str, eps: float, seed: int, edge: float) -> None:
    x, y = pictures(3, seed)
    x[0] = edge
    budget = torch.full((1, 1, 1, 1), eps)
    found = perturb(find(name), ToyHead(), x, y, budget, seed=seed)
    assert torch.isfinite(found).all()
    assert ((found - x).abs() <= budget + 1e-6).all()
    assert 0 <= float(found.min()) <= float(found.max()) <= 1


@pytest.mark.parametrize("name", ["bim", "mim", "dim", "pgd", "apgd", "deepfool"])
def test_white_box_attacks_break_what_one_step_leaves(name: str, head: ToyHead) -> None:
    x, y = pictures(48)
    small = torch.full((1, 1, 1, 1), EPS / 2)
    assert accuracy(head, perturb(find(name), head, x, y, small), y) <= accuracy(
        head, perturb(find("fgsm"), head, x, y, small), y
    )


def same(ours: torch.Tensor, theirs: torch.Tensor, *, share: float = 0.0) -> None:
    """Equal pixels, but for a share of them whose gradient is within rounding of zero."""
    assert ((ours - theirs).abs() > 1e-5).float().mean() <= share


def test_fgsm_is_foolboxs(head: ToyHead, boxed: foolbox.PyTorchModel) -> None:
    x, y = pictures()
    theirs = foolbox.attacks.LinfFastGradientAttack().run(boxed, x, y, epsilon=EPS)
    same(perturb(find("fgsm"), head, x, y, EPS), theirs)


def test_bim_is_foolboxs(head: ToyHead, boxed: foolbox.PyTorchModel) -> None:
    x, y = pictures()
    attack = foolbox.attacks.LinfBasicIterativeAttack(rel_stepsize=0.15, steps=10, random_start=False)
    same(perturb(find("bim"), head, x, y, EPS), attack.run(boxed, x, y, epsilon=EPS), share=0.001)


def test_mim_is_foolboxs_with_the_papers_normalisation(head: ToyHead, boxed: foolbox.PyTorchModel) -> None:
    """foolbox sums the *signs* of gradients, algorithm 1 gradients of L1 norm one: that step is replaced."""

    class Published(foolbox.attacks.LinfMomentumIterativeFastGradientMethod):
        def normalize(self, gradients, *, x, bounds):
            return normalize_lp_norms(gradients, p=1)

    x, y = pictures()
    attack = Published(momentum=1.0, rel_stepsize=0.15, steps=19, random_start=False)
    same(perturb(find("mim"), head, x, y, EPS), attack.run(boxed, x, y, epsilon=EPS), share=0.001)


def test_pgd_is_foolboxs_from_the_same_start(head: ToyHead, boxed: foolbox.PyTorchModel) -> None:
    x, y = pictures()
    attack = foolbox.attacks.LinfPGD(rel_stepsize=0.25, steps=20, random_start=True)
    torch.manual_seed(7)
    theirs = attack.run(boxed, x, y, epsilon=EPS)
    same(perturb(find("pgd"), head, x, y, EPS, seed=7), theirs, share=0.02)
    ours = steps.pgd(head, x, y, EPS, alpha=0.25, steps=20, generator=seeded(8))
    assert accuracy(head, ours, y) == pytest.approx(accuracy(head, theirs, y), abs=0.1)


def test_deepfool_is_foolboxs(head: ToyHead, boxed: foolbox.PyTorchModel) -> None:
    x, y = pictures()
    y = torch.where(torch.arange(len(y)) % 5 == 0, (y + 1) % CLASSES, y)
    attack = foolbox.attacks.LinfDeepFoolAttack(steps=50, candidates=10, overshoot=0.02)
    theirs = attack.run(boxed, x, foolbox.criteria.Misclassification(y))
    ours = deepfool_module.nearest(head, x, y, 1.0, steps=50, overshoot=0.02, candidates=10)
    same(ours, theirs)
    assert accuracy(head, ours, y) == 0
    assert (deepfool_module.distance(ours, x, 1.0) == 0).tolist() == (torch.arange(len(y)) % 5 == 0).tolist()


def test_deepfool_pays_for_channels_what_the_budget_says(head: ToyHead) -> None:
    x, y = pictures()
    budget = torch.tensor([0.25, 1.0, 1.0]).view(1, 3, 1, 1).expand(len(x), -1, -1, -1)
    change = (
        (deepfool_module.nearest(head, x, y, budget, steps=50, overshoot=0.02, candidates=10) - x).abs().amax((0, 2, 3))
    )
    assert change[0] < 0.5 * change[1]


def test_dim_is_torchattacks_with_the_same_draws(head: ToyHead) -> None:
    x, y = pictures()
    attack = torchattacks.DIFGSM(head, eps=EPS, alpha=0.15 * EPS, steps=19, decay=1.0, resize_rate=0.9)
    torch.manual_seed(5)
    same(perturb(find("dim"), head, x, y, EPS, seed=5), attack(x, y), share=0.001)


@pytest.mark.parametrize("loss", ["ce", "dlr"])
@pytest.mark.parametrize("eps", [0.5 / 255, 1 / 255])
def test_apgd_is_as_strong_as_torchattacks(loss: str, eps: float, head: ToyHead) -> None:
    x, y = pictures(96)
    theirs = torchattacks.APGD(head, eps=eps, steps=20, loss=loss, seed=2)(x, y)
    ours = apgd(head, x, y, eps, steps=20, rho=0.75, generator=seeded(2), loss=loss)
    assert 0 < accuracy(head, theirs, y) < 1
    assert accuracy(head, ours, y) == pytest.approx(accuracy(head, theirs, y), abs=0.05)


def test_apgd_climbs_at_least_as_high_as_pgd(head: ToyHead) -> None:
    x, y = pictures(48)
    weak = perturb(find("pgd"), head, x, y, 0.5 / 255)
    strong = apgd(head, x, y, 0.5 / 255, steps=40, rho=0.75, generator=seeded(), loss="ce")
    with torch.no_grad():
        height = [float(losses.cross_entropy(head(found), y).mean()) for found in (weak, strong)]
    assert height[1] >= 0.97 * height[0]


def test_spsa_estimates_the_gradient_as_well_as_torchattacks(head: ToyHead) -> None:
    x, y = pictures(6)
    truth = losses.climb(head, x, y, "margin")[0]
    options = {"make": steps.signs, "queries": 256, "sigma": 1e-3, "generator": seeded(1)}
    ours = scores.estimate(head, x, y, **options)
    torch.manual_seed(1)
    library = torchattacks.SPSA(head, delta=1e-3, nb_sample=256, max_batch_size=64)
    theirs = -library.spsa_grad(x, y, 1e-3, 256, 64)
    aligned = [torch.cosine_similarity(found.flatten(1), truth.flatten(1)).mean().item() for found in (ours, theirs)]
    # 256 random directions of 768 catch a share of about sqrt(256 / (768 + 256)) of the gradient's length.
    assert aligned == pytest.approx([0.5, 0.5], abs=0.06)
    assert float(ours.norm()) == pytest.approx(float(theirs.norm()), rel=0.15)


def test_spsa_breaks_as_many_as_torchattacks(head: ToyHead) -> None:
    x, y = pictures(24)
    torch.manual_seed(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = torchattacks.SPSA(head, eps=EPS, delta=1e-3, lr=0.15 * EPS, nb_iter=10, nb_sample=64)(x, y)
    ours = scores.spsa(
        head, x, y, EPS, alpha=0.15, steps=10, queries=64, sigma=1e-3, generator=seeded(4), loss="margin"
    )
    assert accuracy(head, theirs, y) < 0.5
    assert accuracy(head, ours, y) == pytest.approx(accuracy(head, theirs, y), abs=0.15)


def test_nes_is_a_numpy_version(head: ToyHead) -> None:
    x, y = pictures(6)
    eps, alpha, sigma, queries, rounds = EPS / 4, 0.15, 1e-3, 12, 4

    def loss_of(pixels: np.ndarray, label: int) -> np.ndarray:
        with torch.no_grad():
            given = head(torch.from_numpy(pixels.astype(np.float32))).numpy().astype(np.float64)
        return np.delete(given, label, axis=1).max(1) - given[:, label]

    for image in range(len(x)):
        clean, label, generator = x[image].numpy(), int(y[image]), seeded(image)
        at = clean.copy()
        for _ in range(rounds):
            if loss_of(at[None], label)[0] > 0:
                break
            u = torch.randn((queries, 1, 3, SIZE, SIZE), generator=generator).numpy()[:, 0]
            difference = loss_of(at + sigma * u, label) - loss_of(at - sigma * u, label)
            slope = (difference[:, None, None, None] * u).mean(0) / (2 * sigma)
            at = np.clip(np.clip(at + alpha * eps * np.sign(slope), clean - eps, clean + eps), 0, 1)
        options = {"alpha": alpha, "steps": rounds, "queries": queries, "sigma": sigma, "generator": seeded(image)}
        ours = scores.nes(head, x[image : image + 1], y[image : image + 1], eps, **options)
        same(ours[0], torch.from_numpy(at.astype(np.float32)), share=0.01)


def test_score_attacks_ask_for_no_gradient(head: ToyHead) -> None:
    def asked(pixels: torch.Tensor) -> torch.Tensor:
        assert not pixels.requires_grad
        assert not torch.is_grad_enabled()
        return head(pixels)

    x, y = pictures(2)
    options = {"alpha": 0.15, "steps": 2, "queries": 4, "sigma": 1e-3}
    for attack in (scores.nes, scores.spsa):
        attack(asked, x, y, EPS, generator=seeded(), **options)


def test_losses_by_hand() -> None:
    given = torch.tensor([[3.0, 1.0, 2.0, -1.0], [0.0, 4.0, 1.0, 2.0]])
    y = torch.tensor([0, 3])
    assert losses.margin(given, y).tolist() == [-1.0, 2.0]
    assert losses.dlr(given, y).tolist() == pytest.approx([-1 / 2, 2 / 3])
    assert losses.cross_entropy(given, y)[0].item() == pytest.approx(np.log(1 + np.exp(-2) + np.exp(-1) + np.exp(-4)))


def test_saturation_is_noticed_and_the_margin_still_sees(head: ToyHead) -> None:
    x, y = pictures(16)
    said, sure, flat = guard.signs(head, x, y)
    assert said.tolist() == y.tolist()
    assert not flat.any()

    def masked(pixels: torch.Tensor) -> torch.Tensor:
        return 1e5 * head(pixels)

    _, sure, flat = guard.signs(masked, x, y)
    assert sure.float().mean() > 0.9
    assert flat.float().mean() > 0.5
    blind, seeing = (perturb(find("bim"), masked, x, y, EPS, loss=loss) for loss in ("ce", "margin"))
    assert accuracy(head, seeing, y) < accuracy(head, blind, y)


def test_words_are_written_apart_at_places_of_the_seed() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    first, placed = typographic.overlay(grey, "apple", copies=3, size=0.12, seed=1)
    again, _ = typographic.overlay(grey, "apple", copies=3, size=0.12, seed=1)
    other, _ = typographic.overlay(grey, "apple", copies=3, size=0.12, seed=2)
    assert placed == 3
    assert (first == again).all()
    assert (first != other).any()
    assert first.shape == grey.shape
    assert first.max() > 180
    assert (grey == 128).all()
    one = (typographic.overlay(grey, "apple", copies=1, seed=1)[0] != 128).any(2).sum()
    assert (first != 128).any(2).sum() == pytest.approx(3 * one, rel=0.15)


def test_a_word_too_long_for_the_picture_is_shrunk_and_one_too_many_is_left_out() -> None:
    dark = np.zeros((40, 40, 3), np.uint8)
    drawn, placed = typographic.overlay(dark, "a very long name of a class", copies=50, size=0.4)
    assert 1 <= placed < 50
    assert drawn.max() > 128
    Image.fromarray(drawn).verify()


def test_noise_moves_every_value_by_the_budget_either_way() -> None:
    x = torch.full((64, 3, 16, 16), 0.5)
    change = perturb(find("noise"), None, x, None, EPS) - x
    assert torch.allclose(change.abs(), torch.full_like(x, EPS))
    assert float((change > 0).float().mean()) == pytest.approx(0.5, abs=0.01)
    assert float(perturb(find("noise"), None, torch.ones(1, 3, 4, 4), None, EPS).max()) == 1


def test_letters_without_meaning_keep_length_and_spaces() -> None:
    drawn = [typographic.meaningless("hot-air balloon", seed=seed) for seed in range(40)]
    assert all(len(one) == 15 and one[3] == "-" and one[7] == " " for one in drawn)
    assert all(one.replace("-", "").replace(" ", "").isalpha() for one in drawn)
    assert len(set(drawn)) == 40
    assert typographic.meaningless("hot-air balloon", seed=3) == drawn[3]


def test_wrong_words_are_never_the_right_ones() -> None:
    labels = np.arange(1000) % 7
    drawn = typographic.wrong_words(labels, 7, seed=3)
    assert (drawn != labels).all()
    assert set(drawn.tolist()) == set(range(7))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: find("cw"),
        lambda: settings_of(find("bim"), "mine"),
        lambda: perturb(find("typographic"), None, *[0] * 3),
    ],
)
def test_unknown_names_are_told(ask: Callable) -> None:
    with pytest.raises(UnknownName, match=r"there are|draws a word"):
        ask()
