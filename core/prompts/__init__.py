"""Prompt strategies: from a name to the finished sentences of every class.

A strategy is one entry of a registry; apart from the named ones, a person can give templates with a slot (one a line)
or a prompt file. Knows nothing of models; changing the strategy never touches an image.
"""

from __future__ import annotations

from core.prompts import cupl, dclip, family, learned, other_names, real, waffle
from core.prompts.registry import (
    AGGREGATIONS,
    Strategy,
    check,
    prompt_file,
    prompt_set,
    register,
    split_aggregation,
    strategies,
    strategy_id,
    typed_path,
    unknown,
)
from core.prompts.templates import SIMPLE, ensemble_templates, fill, from_templates, of_dataset, parse_templates

__all__ = [
    "AGGREGATIONS",
    "Strategy",
    "check",
    "ensemble_templates",
    "fill",
    "parse_templates",
    "prompt_file",
    "prompt_set",
    "register",
    "split_aggregation",
    "strategies",
    "strategy_id",
    "typed_path",
    "unknown",
]

_FILE = "the path of a JSON file"

_BUILT_IN = (
    Strategy(
        "class", "Class name", "The bare class name and nothing else.",
        lambda images: from_templates("class", ("{}",), images),
    ),
    Strategy(
        "simple", "One template", "One sentence a class: a photo of a {c}.",
        lambda images: from_templates("simple", (SIMPLE,), images),
    ),
    Strategy(
        "ensemble", "80 templates",
        "The 80 ImageNet templates of CLIP: vectors are normalised, averaged per class and normalised again.",
        lambda images: from_templates("ensemble", ensemble_templates(), images),
    ),
    Strategy(
        "dataset", "The set's own templates",
        "The templates that came with the image set, averaged like the 80.", of_dataset,
    ),
    Strategy(
        "cupl-base", "CuPL, base",
        "Sentences written by a language model, averaged like templates: three a class for icons, or your CuPL file.",
        cupl.base, cupl.base, _FILE,
    ),
    Strategy(
        "cupl-full", "CuPL, full", "All written sentences: six a class for icons, or your CuPL file.",
        cupl.full, cupl.full, _FILE,
    ),
    Strategy(
        "cupl-both", "CuPL and 80 templates",
        "The 80 templates and the full sentences in one flat mean; the more sentences of a kind, the more it weighs.",
        cupl.both, cupl.both, _FILE,
    ),
    Strategy(
        "dclip", "DCLIP descriptors",
        "The name with each of its visual features; a class scores the mean of its similarities.",
        dclip.of_icons, dclip.of_file, _FILE,
    ),
    Strategy(
        "waffle", "WaffleCLIP (random)",
        "Random words and characters instead of features, the honest null: a gain within its spread over seeds says "
        "nothing about content.",
        waffle.drawn, waffle.drawn, "a seed", is_word=lambda option: True,
    ),
    Strategy(
        "real", "REAL, most frequent synonym",
        "The spelling that pretraining captions use most, in the one template of simple.",
        real.of_icons, real.of_option, "an icon corpus, or the path of a metrics file, perhaps with argmax: before it",
        real.MODES, real.CORPORA.__contains__,
    ),
    Strategy(
        "name-family", "Name and family", "One sentence a class: a {c}, a kind of {family}.",
        family.of_icons, family.of_file, _FILE,
    ),
    Strategy(
        "learned", "Learned context",
        "Token vectors learned on a few pictures in place of a photo of a (context optimisation, CoOp).",
        learned.WITHOUT_A_FILE, learned.of_file, "the path of a JSON file of prompts learn",
    ),
)  # fmt: skip
for _strategy in _BUILT_IN:
    register(_strategy)
register(
    Strategy(
        "other-name",
        "Other names",
        "The one template with another name of each class, scientific or common, from a file of class and name.",
        other_names.WITHOUT_A_FILE,
        other_names.of_file,
        "the path of a CSV file",
    )
)
