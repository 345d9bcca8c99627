from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from core.errors import BadInput, UnknownName, UnreadableData
from core.robustness.metrics import difference, frame_accuracy, relative_robustness
from core.robustness.shifts.baselines import TESTBED_TYPES, columns_for, fit_set, read_baselines, read_types
from core.robustness.shifts.fit import LEAST, effective_robustness, fit_line, logit
from core.stats.intervals import wilson
from core.types import Interval

# Six rows of imagenet-testbed's robustness_top1s.csv (MIT), percent, as quoted by its authors to two digits.
TESTBED = """model,val,imagenet-sketch,imagenet-a,val-on-imagenet-a-classes,type
resnet50,76.13,24.09,0.00,90.00,Standard training
resnet101,77.37,26.97,4.72,91.00,Standard training
alexnet,56.52,10.72,1.77,70.00,Standard training
resnet50_imagenet_subsample_1_of_8,50.00,40.00,30.00,60.00,Standard training
vit_b_32_clip_zeroshot,63.30,42.37,31.39,87.42,
efficientnet-l2-noisystudent,88.32,,84.85,98.55,Trained with more data
"""


def test_the_difference_of_two_wilson_intervals_is_newcombes_tenth_method() -> None:
    # Newcombe (1998), table II, example (a): 56/70 - 48/80 = 0.2, 95 % interval 0.0524 to 0.3339.
    found = difference(wilson(56, 70), wilson(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_relative_robustness_is_the_paired_difference() -> None:
    changed = np.array([1, 1, 1, 0, 0], bool)
    unchanged = np.array([1, 0, 0, 0, 1], bool)
    found = relative_robustness(changed, unchanged)
    assert found.value == pytest.approx(0.2)
    # Two images won and one lost of five: 3/7 - 2/7 with the variance of a multinomial of seven.
    half = 1.959964 * math.sqrt((5 / 7 - 1 / 49) / 7)
    assert (found.low, found.high) == pytest.approx((1 / 7 - half, 1 / 7 + half), rel=1e-5)
    never = relative_robustness(changed, changed)
    assert never.low < 0 == never.value < never.high
    assert math.isnan(relative_robustness(np.zeros(0), np.zeros(0)).value)


def test_a_frame_counts_with_all_its_neighbours() -> None:
    right = np.array([1, 1, 1, 1, 0, 0, 1], bool)
    neighbours = [[1, 2], [4], [6], []]
    found = frame_accuracy(right, [0, 3, 5, 6], neighbours)
    assert found.anchors.value == 0.75
    assert found.all_near.value == 0.5  # anchor 0 with both, and anchor 6, which has none
    assert found.flipped == (1,)
    near = frame_accuracy(right, [0, 3, 5, 6], neighbours, offsets=[[-1, 2], [3], [1], []], k=2)
    assert near.all_near.value == 0.75
    assert near.flipped == ()
    with pytest.raises(ValueError, match="offsets"):
        frame_accuracy(right, [0], [[1]], k=1)


def test_the_fit_is_an_ordinary_regression_of_logits() -> None:
    from scipy.stats import linregress

    rng = np.random.default_rng(1)
    x = rng.uniform(0.4, 0.85, 40)
    y = 1 / (1 + np.exp(-(1.0709 * np.log(x / (1 - x)) - 2.3701 + rng.normal(0, 0.2, 40))))
    found, wanted = fit_line(x, y), linregress(np.log(x / (1 - x)), np.log(y / (1 - y)))
    assert found.slope == pytest.approx(wanted.slope)
    assert found.intercept == pytest.approx(wanted.intercept)
    assert found.r2 == pytest.approx(wanted.rvalue**2)
    assert found.error / math.sqrt(found.spread) == pytest.approx(wanted.stderr)
    at_zero = found.error * math.sqrt(1 / found.n + found.centre**2 / found.spread)
    assert at_zero == pytest.approx(wanted.intercept_stderr)
    assert found.clipped == 0
    low, high = found.band(0.5)
    # The band at x = 0.5 (logit 0) is the intercept's own interval; t of 38 degrees of freedom is 2.0244.
    assert logit(high) - logit(low) == pytest.approx(2 * 2.0244 * wanted.intercept_stderr, rel=1e-4)
    wider = found.band(0.5, single=True)
    assert wider[0] < low < found.line(0.5) < high < wider[1]
    assert found.extrapolates(0.9)
    assert not found.extrapolates(0.6)


def test_effective_robustness_by_hand() -> None:
    # Three models on the line logit(y) = logit(x) - log 4: (1/2, 1/5), (4/5, 1/2), (2/3, 1/3).
    fit = fit_line([1 / 2, 4 / 5, 2 / 3], [1 / 5, 1 / 2, 1 / 3])
    assert (fit.slope, fit.intercept, fit.r2) == pytest.approx((1.0, -math.log(4), 1.0))
    exact = Interval(0.8, 0.8, 0.8)
    rho = effective_robustness(fit, exact, Interval(0.65, 0.60, 0.70))
    assert (rho.value, rho.low, rho.high) == pytest.approx((0.15, 0.10, 0.20), abs=1e-6)
    # Uncertain in distribution between 2/3 and 4/5, the line's 1/2 may be as low as 1/3: that adds by squares.
    wide = effective_robustness(fit, Interval(0.8, 2 / 3, 0.8), Interval(0.65, 0.60, 0.70))
    assert wide.high - wide.value == pytest.approx(math.hypot(0.05, 0.5 - 1 / 3), abs=1e-6)
    assert wide.low == pytest.approx(0.10, abs=1e-6)


def test_the_published_lines_give_the_published_residuals() -> None:
    # Slopes and intercepts fitted to the testbed's 85 ordinary models; residuals of CLIP ViT-B/32 in points.
    for x, y, slope, intercept, published in [
        (0.6330, 0.5621, 0.9114, -0.4813, 5.82),
        (0.6330, 0.4237, 1.0709, -2.3701, 28.02),
        (0.8742, 0.3139, 1.9987, -7.7022, 29.26),
        (0.7093, 0.4396, 0.9809, -1.9283, 18.10),
    ]:
        along = np.array([0.7, 0.75, 0.8, 0.85])
        fit = fit_line(along, 1 / (1 + np.exp(-(slope * logit(along) + intercept))))
        assert 100 * (y - fit.line(x)) == pytest.approx(published, abs=0.06)


def test_accuracies_of_zero_are_clipped_and_counted() -> None:
    found = fit_line([0.5, 0.6, 0.7], [0.0, 0.2, 0.3])
    assert found.clipped == 1
    assert logit(0.0) == pytest.approx(math.log(LEAST / (1 - LEAST)))
    with pytest.raises(BadInput, match="at least 3"):
        fit_line([0.5, 0.6], [0.1, 0.2])
    with pytest.raises(BadInput, match="same accuracy"):
        fit_line([0.5] * 3, [0.1, 0.2, 0.3])


def test_a_table_of_baselines_is_read_and_only_ordinary_models_are_fitted() -> None:
    table = read_baselines(TESTBED.encode(), name="testbed.csv")
    assert table.columns["val"][:3] == pytest.approx((0.7613, 0.7737, 0.5652))
    assert math.isnan(table.columns["imagenet-sketch"][5])
    assert columns_for(table, "/data/imagenet_sketch/") == ("val", "imagenet-sketch")
    assert columns_for(table, "wds_imagenet-a") == ("val-on-imagenet-a-classes", "imagenet-a")
    assert columns_for(table, "/data/photos") is None
    chosen = fit_set(table, "val", "imagenet-sketch")
    assert chosen.models == ("resnet50", "resnet101", "alexnet")
    with pytest.raises(BadInput, match="at least 3"):
        fit_set(table, "val", "imagenet-sketch", never=["ResNet50"])
    with pytest.raises(UnknownName):
        fit_set(table, "val", "nowhere")


@pytest.mark.parametrize("form", ["{:.4f}", "{:.2%}", "{:.6f}"])
def test_fractions_and_percent_signs_are_no_percentages(form) -> None:
    percent = read_baselines(TESTBED.encode())
    rows = [line.split(",") for line in TESTBED.splitlines()]

    def scaled(cell: str) -> str:
        try:
            return form.format(float(cell) / 100)
        except ValueError:
            return cell

    text = "\n".join(",".join(map(scaled, row)) for row in rows)
    table = read_baselines(text.encode())
    assert ("fractions" in table.note) == ("%" not in form)
    assert "percentages" in percent.note
    for title, values in percent.columns.items():
        assert table.columns[title] == pytest.approx(values, abs=6e-5, nan_ok=True)
    lines = [fit_set(one, "val", "imagenet-sketch").fit for one in (percent, table)]
    assert lines[0].slope == pytest.approx(lines[1].slope, abs=1e-2)


@pytest.mark.parametrize("columns", ["0.76,31.2", "76.1,0.312", "1.0,0.5,50"])
def test_a_table_in_two_units_is_refused(columns) -> None:
    n = columns.count(",") + 1
    header = "model," + ",".join(f"set{i}" for i in range(n))
    text = "\n".join([header, *(f"m{i},{columns}" for i in range(4))])
    with pytest.raises(UnreadableData, match=r"holds fractions.*percentages.*one unit"):
        read_baselines(text.encode())


def test_a_hard_set_in_percent_may_stay_below_one() -> None:
    table = read_baselines(b"model,val,imagenet-a\na,76.1,0.0\nb,77.4,0.1\nc,56.5,0.9\n")
    assert table.columns["imagenet-a"] == pytest.approx((0.0, 0.001, 0.009))
    assert read_baselines(b"model,val,imagenet-a\na,1,0\nb,0.5,0.1\n").columns["val"] == (1.0, 0.5)


def test_the_model_that_filtered_the_pictures_is_not_on_the_line() -> None:
    table = read_baselines(b"model,icons,hard\na,40,10\nb,50,20\nc,60,30\nd,50,0\n")
    assert fit_set(table, "icons", "hard").models == ("a", "b", "c", "d")
    filtered = replace(table, filters={"hard": "d"})
    assert fit_set(filtered, "icons", "hard").models == ("a", "b", "c")


def test_the_testbeds_own_table_is_fitted_to_its_standard_models() -> None:
    table = read_baselines("\n".join(line.rpartition(",")[0] for line in TESTBED.splitlines()).encode())
    assert "5 of them with a type in imagenet-testbed's list" in table.note
    assert set(fit_set(table, "val", "imagenet-a").models) == {"resnet50", "resnet101", "alexnet"}
    types = read_types(b"model,type\nresnet50,standard\nresnet101,standard\nvit_b_32_clip_zeroshot,standard\n")
    given = read_baselines("\n".join(line.rpartition(",")[0] for line in TESTBED.splitlines()).encode(), types=types)
    assert "vit_b_32_clip_zeroshot" in fit_set(given, "val", "imagenet-a").models


def test_the_types_that_ship_are_the_testbeds() -> None:
    types = read_types(TESTBED_TYPES.read_bytes())
    assert (len(types) - 1, sum(kind == "standard" for kind in types.values())) == (228, 87)  # two are subsamples
    assert types["efficientnet-l2-noisystudent"] == "more data"
    assert types["resnet50_l2_eps3_robust"] == "lp adversarial"


def test_without_types_clip_models_stay_out() -> None:
    rows = "a,60,40\nb,70,50\nc,80,65\nmy-clip,75,74\n"
    chosen = fit_set(read_baselines(f"model,indoors,outdoors\n{rows}".encode()), "indoors", "outdoors")
    assert set(chosen.models) == {"a", "b", "c"}


def test_frames_have_columns_of_their_own() -> None:
    text = "model,val,val-on-vid-robust-classes,imagenet-vid-robust_pm0,imagenet-vid-robust_pm10\na,50,60,70,40\n"
    table = read_baselines(text.encode())
    for condition in ("/x/imagenet-vid-robust_pm10", "/x/imagenet-vid-robust#over=mapped_pm10"):
        assert columns_for(table, condition) == ("val-on-vid-robust-classes", "imagenet-vid-robust_pm10")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "header"),
        (b"name only\n", "header"),
        (b"architecture,val\na,1\n", "no column .model"),
        (b"model,val\na,1\na,2\n", "two rows of one model"),
        (b"model,val,val\na,1,2\n", "two columns"),
        (b"model,val\na,lots\n", "no number"),
        (b"model,val\na,140\n", "no percentage"),
        (b"model,val\na,inf\n", "no percentage"),
        (b"model\na\n", "no column of accuracies"),
        (b"\xff\xfe", "not UTF-8"),
        (b"model,val\n" + b'"' + b"a" * 200_000, "not a CSV|two rows|no column|percentage|no number|header|CSV"),
        (b"x" * (17 << 20), "larger than"),
    ],
    ids=range(12),
)
def test_a_hostile_table_is_one_sentence(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableData, match=message) as error:
        read_baselines(data)
    assert len(str(error.value)) < 400
