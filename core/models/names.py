"""What a model's id says: its architecture, what it was pretrained on, and how it is called in a sentence."""

from __future__ import annotations

from pathlib import PurePath


def split_model(model: str) -> tuple[str, str]:
    """Architecture and pretraining name of a model id, as CLIP_benchmark reports them."""
    if model.startswith(("hf-hub:", "local-dir:")):
        return model, ""
    arch, _, pretrained = model.partition(",")
    return arch, pretrained


def model_name(model: str) -> str:
    """A model id in words: architecture and what it was pretrained on; of a path its last part."""
    arch, pretrained = split_model(model)
    if pretrained:
        return f"{arch} ({PurePath(pretrained).name if '/' in pretrained else pretrained})"
    return PurePath(arch).name if arch.startswith("local-dir:") else arch


def typed_pair(name: str) -> tuple[str, str]:
    """Architecture, and the tag or file after it, of ``ARCH,PRETRAINED``, ``ARCH/PRETRAINED`` or clip-retrieval's
    ``open_clip:ARCH/PRETRAINED`` as a person typed it."""
    name = name.strip().removeprefix("open_clip:")
    arch, comma, pretrained = name.partition(",")
    if not comma:
        arch, _, pretrained = name.rpartition("/")
    return arch.strip().replace("/", "-"), pretrained.strip()
