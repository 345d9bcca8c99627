"""Names of models, their availability without network, and the QuickGELU trap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cache import keys
from core.errors import UnknownName, UnreadableData, WeightsMissing
from core.models import open_clip_table as model_table
from core.models import registry as models
from core.models import weights
from core.paths import ROOT
from tests import tiny
from tests.helpers.models import is_available
from tests.offline import forbid_network

LAION = "ViT-B-32,laion2b_s34b_b79k"


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """An empty hub cache, and no network."""
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    forbid_network(monkeypatch)
    return folder


def put(hub: Path, repo: str, filename: str, content: bytes = b"weights") -> Path:
    """Lay a file into a hub cache as huggingface_hub does: a link from the snapshot of main to a blob."""
    folder = hub / f"models--{repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text("c0ffee", encoding="ascii")
    blob, link = folder / "blobs" / filename, folder / "snapshots" / "c0ffee" / filename
    blob.parent.mkdir(exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return link


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (LAION, LAION),
        (f"  {LAION} ", LAION),
        ("ViT-B-32/laion2b_s34b_b79k", LAION),
        ("open_clip:ViT-B-32/laion2b_s34b_b79k", LAION),
        ("ViT-B/32,openai", "ViT-B-32,openai"),
        ("ViT-B-32,LAION2B-S34B-B79K", LAION),
        ("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("hf_clip:someone/theirs", "hf-hub:someone/theirs"),
    ],
)
def test_one_spelling_of_every_name(hub, typed, name):
    assert models.canonical(typed) == name
    assert models.canonical(name) == name


def test_every_released_pair_is_listed_and_is_its_own_name(hub):
    import open_clip

    listed = [model for model in models.list_models() if model.kind == "open_clip"]
    assert [model.id for model in listed] == [",".join(pair) for pair in open_clip.list_pretrained()]
    assert all(models.canonical(model.id) == model.id and models.kind(model.id) == "open_clip" for model in listed)
    assert not any(model.available for model in listed)
    assert {model.size_bytes for model in listed} == {None}


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("ViT-B-32,open-ai", "ViT-B-32-quickgelu,openai"),
        ("vit-b-32-quickgelu,openai", "ViT-B-32-quickgelu,openai"),
        ("resnet", "python -m core models"),
        ("", "python -m core models"),
        ("hf-hub:justaname", "hf-hub:org/repo"),
    ],
)
def test_an_unknown_name_suggests_what_was_meant(hub, typed, hint):
    with pytest.raises(UnknownName) as caught:
        models.canonical(typed)
    assert hint in str(caught.value)


def test_an_unfinished_name_suggests_only_models_whose_activation_fits_their_weights():
    assert models.nearest("ViT-B-32")[0] == "ViT-B-32-quickgelu,openai"
    assert models.nearest("icon-RN,icons-9k")[0].startswith("icon-RN,")
    assert models.nearest("") == models.nearest("nothing at all") == []
    for typed in ("RN50", "vit", "ViT-B-32,openai", "convnext"):
        found = models.nearest(typed, most=200)
        assert found
        assert not [id for id in found if models.quickgelu_warning(id)]


def test_missing_weights_name_the_command_that_fetches_them(hub):
    for name in (LAION, "hf-hub:someone/theirs"):
        assert not is_available(name)
        with pytest.raises(WeightsMissing) as caught:
            models.find(name)
        assert str(caught.value).endswith(f"fetch them with: python -m core fetch model {name}")
    assert models.fetch_command("hf-hub:a/b c") == "python -m core fetch model 'hf-hub:a/b c'"


def test_loading_missing_weights_asks_nothing_of_the_network(hub):
    from core.models.encoder import load_encoder

    with pytest.raises(WeightsMissing, match=f"python -m core fetch model {LAION}"):
        load_encoder(LAION)


def test_weights_in_the_hub_cache_are_seen_and_safetensors_preferred(hub):
    repo = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    older = put(hub, repo, "open_clip_pytorch_model.bin")
    assert models.find(LAION).weights == older
    newer = put(hub, repo, "open_clip_model.safetensors", b"12345678")
    assert models.find(LAION).weights == newer
    info = next(model for model in models.list_models() if model.id == LAION)
    assert (info.available, info.size_bytes, info.pretraining) == (True, 8, "laion2b_s34b_b79k")


def test_weights_that_open_clip_fetched_by_url_are_seen(hub, tmp_path):
    clip = tmp_path / "home" / ".cache" / "clip"
    clip.mkdir(parents=True)
    (clip / "vit_b_32-quickgelu-laion400m_e32-46683a32.pt").write_bytes(b"weights")
    assert is_available("ViT-B-32-quickgelu,laion400m_e32")
    assert not is_available("ViT-B-32-quickgelu,laion400m_e31")
    (clip / "ViT-B-32.pt").write_bytes(b"a TorchScript archive")
    assert not is_available("ViT-B-32-quickgelu,openai"), "it cannot be opened with weights_only"


def test_a_model_with_a_foreign_tokenizer_is_here_only_with_it(hub):
    name = "ViT-B-16-SigLIP,webli"
    source = models.source(name)
    assert source.tokenizer == "timm/ViT-B-16-SigLIP"
    put(hub, source.repo, "open_clip_model.safetensors")
    assert not is_available(name)
    file = put(hub, source.tokenizer, "tokenizer.json")
    assert models.find(name).tokenizer == file.parent


def test_a_hub_repository_needs_configuration_and_weights(hub):
    name = "hf-hub:someone/theirs"
    put(hub, "someone/theirs", "open_clip_model.safetensors")
    assert not is_available(name)
    config = {"model_cfg": tiny.CLIP, "preprocess_cfg": {}}
    put(hub, "someone/theirs", weights.CONFIG, json.dumps(config).encode())
    assert models.find(name).folder == hub / "models--someone--theirs" / "snapshots" / "c0ffee"
    assert [model.id for model in models.list_models() if model.kind == "hf-hub"] == [name]


def test_a_hub_repository_in_the_cache_loads(hub, tmp_path):
    from core.models.encoder import load_encoder

    folder = tiny.save(tmp_path / "made")
    for file in folder.iterdir():
        put(hub, "someone/theirs", file.name, file.read_bytes())
    fetched = load_encoder("hf-hub:someone/theirs", precision="float32", device="cpu")
    local = load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    assert (fetched.encode_texts(["a cat"]) == local.encode_texts(["a cat"])).all()
    same = ("config", "weights", "preprocessing", "tokenizer", "precision")
    assert {name: fetched.fingerprint[name] for name in same} == {name: local.fingerprint[name] for name in same}


def test_released_pairs_and_checkpoint_files_load_with_the_tag_s_preprocessing(hub, tmp_path, monkeypatch):
    """A pair and a checkpoint of an architecture small enough to make here."""
    import open_clip
    import torch
    from open_clip import factory, pretrained

    from core.models.encoder import load_encoder

    released = {
        "url": "",
        "hf_hub": "someone/tiny-released/",
        "mean": (0.1, 0.2, 0.3),
        "std": (0.4, 0.5, 0.6),
        "interpolation": "bilinear",
        "resize_mode": "squash",
        "quick_gelu": True,
    }
    monkeypatch.setitem(factory._MODEL_CONFIGS, "tiny-test", tiny.CLIP)
    monkeypatch.setitem(factory._MODEL_CONFIGS, "tiny-test-quickgelu", {**tiny.CLIP, "quick_gelu": True})
    for arch in ("tiny-test", "tiny-test-quickgelu"):
        monkeypatch.setitem(pretrained._PRETRAINED, arch, {"some_tag": released})
    model_table.table.cache_clear()
    try:
        made = tiny.save(tmp_path / "made") / "open_clip_model.safetensors"
        put(hub, "someone/tiny-released", made.name, made.read_bytes())
        pair = load_encoder("tiny-test-quickgelu,some-tag", precision="float32", device="cpu")
        assert pair.fingerprint["warnings"] == []
        assert pair.fingerprint["activation"] == "QuickGELU"
        assert pair.fingerprint["preprocessing"]["std"] == [0.4, 0.5, 0.6]
        assert pair.fingerprint["preprocessing"]["interpolation"] == "bilinear"
        assert pair.fingerprint["preprocessing"]["resize_mode"] == "squash"
        assert pair.fingerprint["preprocessing"]["size"] == [32, 32]

        file = tmp_path / "epoch_32.pt"
        state = {f"module.{name}": value for name, value in tiny.build(tiny.CLIP).state_dict().items()}
        torch.save({"epoch": 32, "state_dict": state}, file)
        name = models.canonical(f"tiny-test-quickgelu,{file}")
        assert (models.kind(name), models.path_of(name)) == ("checkpoint", file)
        checkpoint = load_encoder(name, precision="float32", device="cpu")
        assert (checkpoint.encode_texts(["a cat"]) == pair.encode_texts(["a cat"])).all()
        assert checkpoint.fingerprint["preprocessing"] == pair.fingerprint["preprocessing"]

        mismatched = load_encoder("tiny-test,some_tag", precision="float32", device="cpu")
        assert "use tiny-test-quickgelu,some_tag" in mismatched.fingerprint["warnings"][0]
        assert abs(mismatched.encode_texts(["a cat"]) - pair.encode_texts(["a cat"])).max() > 1e-4

        monkeypatch.setitem(pretrained._PRETRAINED["tiny-test"], "other_tag", {**released, "mean": (0.0, 0.0, 0.0)})
        model_table.table.cache_clear()
        (keys.root() / model_table.file_name()).unlink()
        unsure = load_encoder(f"tiny-test,{file}", precision="float32", device="cpu")
        assert "depends on the training run" in unsure.fingerprint["warnings"][0]
        assert unsure.fingerprint["preprocessing"]["mean"] == list(open_clip.OPENAI_DATASET_MEAN)
    finally:
        model_table.table.cache_clear()


def test_quickgelu_mismatches_are_those_of_open_clip(hub):
    import open_clip

    warned = {model.id for model in models.list_models() if models.quickgelu_warning(model.id)}
    expected = {
        f"{arch},{tag}"
        for arch, tag in open_clip.list_pretrained()
        if open_clip.get_pretrained_cfg(arch, tag).get("quick_gelu", False)
        != open_clip.get_model_config(arch).get("quick_gelu", False)
    }
    assert warned == expected
    assert "ViT-B-32,laion400m_e32" in warned
    assert models.quickgelu_warning("ViT-B-32,openai") == (
        "ViT-B-32,openai runs QuickGELU weights under a GELU configuration, which lowers its accuracy: "
        "use ViT-B-32-quickgelu,openai."
    )
    assert models.quickgelu_warning("ViT-B-32-quickgelu,openai") is None
    assert models.quickgelu_warning("local-dir:/somewhere") is None
    listed = {model.id: model.note for model in models.list_models()}
    assert listed["ViT-B-32,openai"] == models.quickgelu_warning("ViT-B-32,openai")


@pytest.mark.parametrize(
    "names",
    [
        ("model.safetensors", "open_clip_pytorch_model.bin", "open_clip_model.safetensors"),
        ("model.safetensors", "open_clip_pytorch_model.bin"),
        ("pytorch_model.bin", "zebra.safetensors"),
        ("b.safetensors", "a.bin", "c.safetensors"),
        ("b.pth", "a.bin"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_the_file_of_a_folder_is_the_one_open_clip_takes(tmp_path, names):
    from open_clip.factory import _find_checkpoint_in_dir

    (tmp_path / weights.CONFIG).write_text(json.dumps({"model_cfg": tiny.CLIP}), encoding="utf-8")
    for name in names:
        (tmp_path / name).write_bytes(b"")
    assert str(weights.find_in_folder(tmp_path).weights) == _find_checkpoint_in_dir(tmp_path)


def test_paths_that_lead_to_no_model(tmp_path):
    with pytest.raises(UnreadableData, match="There is no folder"):
        models.canonical(f"local-dir:{tmp_path}/nowhere")
    with pytest.raises(UnreadableData, match=r"holds no open_clip_config\.json"):
        models.canonical(f"local-dir:{tmp_path}")
    (tmp_path / weights.CONFIG).write_text(json.dumps({"model_cfg": tiny.CLIP}), encoding="utf-8")
    with pytest.raises(UnreadableData, match="holds a configuration but no weights"):
        models.canonical(f"local-dir:{tmp_path}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert models.canonical(f"local-dir:{tmp_path}") == f"local-dir:{tmp_path}"
    assert models.path_of(f"local-dir:{tmp_path}") == tmp_path
    (tmp_path / weights.CONFIG).write_text("not JSON", encoding="utf-8")
    with pytest.raises(UnreadableData, match=r"open_clip_config\.json cannot be read: it is not JSON"):
        models.canonical(f"local-dir:{tmp_path}")
    assert not is_available(f"local-dir:{tmp_path}")
    with pytest.raises(UnreadableData, match="There is no file"):
        models.canonical(f"ViT-B-32,{tmp_path}/nothing.pt")


def test_icon_models_come_first_and_need_no_fetching(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "ICON_MODELS", tmp_path)
    for corpus, pairs in (("icons-10k", 10_000), ("icons-50k", 50_000)):
        folder = tiny.save(tmp_path / f"icon-RN-{corpus}")
        card = {"name": f"icon-RN,{corpus}", "training_pairs": pairs}
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    listed = models.list_models()
    assert [model.id for model in listed[:2]] == ["icon-RN,icons-50k", "icon-RN,icons-10k"]
    assert [(model.kind, model.pretraining, model.available) for model in listed[:1]] == [("icon", "icons-50k", True)]
    assert models.canonical("icon-RN,icons-10k") == "icon-RN,icons-10k"
    assert (
        models.find("icon-RN,icons-10k").folder
        == models.icon_folder("icon-RN,icons-10k")
        == tmp_path / "icon-RN-icons-10k"
    )
    with pytest.raises(UnknownName, match="did you mean icon-RN,icons-10k"):
        models.canonical("icon-RN,icons-10")
    with pytest.raises(UnknownName):
        models.icon_folder("icon-RN,icons-1k")


def test_listing_reads_the_kept_table_and_imports_neither_torch_nor_open_clip(hub, tmp_path):
    model_table.table.cache_clear()
    model_table.table()
    put(tmp_path / "hf" / "hub", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "open_clip_model.safetensors")
    script = f"""
import sys
from core.models import registry as models
here = [model.id for model in models.list_models() if model.kind == "open_clip" and model.available]
assert here == [{LAION!r}], here
assert not {{"torch", "open_clip"}} & set(sys.modules)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(tmp_path / "hf")}
    repository = ROOT
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_damaged_table_is_made_again():
    model_table.table.cache_clear()
    table = model_table.table()
    path = keys.root() / model_table.file_name()
    kept = path.read_bytes()
    for damage in (b"", b"{}", kept[:-5], b'{"architectures": [{"name": 3}], "pairs": []}'):
        path.write_bytes(damage)
        model_table.table.cache_clear()
        assert model_table.table() == table
        assert path.read_bytes() == kept


def test_a_checkpoint_is_hashed_once_until_it_changes(tmp_path, monkeypatch):
    import hashlib

    file, calls = tmp_path / "model.safetensors", []
    real = keys.file_digest
    monkeypatch.setattr("cache.files.file_digest", lambda path: calls.append(path) or real(path))
    file.write_bytes(b"one")
    assert weights.sha256(file) == weights.sha256(file) == hashlib.sha256(b"one").hexdigest()
    assert len(calls) == 1
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert weights.sha256(file) == hashlib.sha256(b"two").hexdigest()
    assert len(calls) == 2
    (remembered,) = [path for path in (keys.root() / "weights").iterdir() if weights.sha256(file) in path.read_text()]
    remembered.write_text("nonsense", encoding="ascii")
    assert weights.sha256(file) == hashlib.sha256(b"two").hexdigest()
