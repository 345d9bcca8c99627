"""Weights for open_clip, put where open_clip looks for them: huggingface_hub's cache, or ``~/.cache/clip``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

from cache.files import write_bytes
from core.downloads import hub
from core.downloads.plan import Meter, Plan, in_words
from core.errors import BadInput, DownloadFailed
from core.models import hf_files, model_config
from core.models import registry as models
from core.models.weights import Source
from core.opening import parse_object

_SETTINGS = (hf_files.CONFIG, hf_files.TOKENIZER_CONFIG, hf_files.SPECIAL_TOKENS, hf_files.ADDED_TOKENS)
_TOKENIZER = {*hf_files.VOCABULARIES, "merges.txt", *_SETTINGS}


def plan_model(id: str) -> Plan:
    """Plan everything that a model needs: weights, configuration, tokenizer, configuration of its text tower.

    A configuration may name other repositories for the last two: they are fetched as well, and the plan says so. Models
    of this disk may need those too.

    Raises:
        BadInput: a model of this disk that has all it needs. UnreadableData: a configuration asks for code to be run,
            or is none. DownloadFailed: as the hub answers.
    """
    id = models.canonical(id)
    source = models.source(id)
    files = tuple(_files(source))
    if not files:
        raise BadInput(f"{id} is a model of this disk; there is nothing to fetch.")
    missing = tuple(file for file in files if not _is_here(file))
    coming = [file for file in missing if not _place(file).is_file()]
    size = sum(file.size for file in coming)
    target = _target(files[0])

    def work(meter: Meter) -> None:
        for file in missing:
            _fetch(file, meter)
        for repository in {file.repository for file in missing if file.repository}:
            _point_main_to(repository)

    if not coming:
        return Plan(id, "model", files, 0, target, f"{id} is on this disk already, in {target}.", work=work)
    waiting = sum(partial.stat().st_size for file in coming if (partial := hub.partial_of(_place(file))).is_file())
    resumed = f" ({in_words(waiting)} of it arrived earlier)" if waiting else ""
    others = ", ".join(dict.fromkeys(_origin(file) for file in files if file.repository != files[0].repository))
    named = f" and, as its configuration names it, from {others}" if others else ""
    sentence = f"{id}: {in_words(size)}{resumed} from {_origin(files[0])} into {target}{named}."
    return Plan(id, "model", files, size, target, sentence, work=work)


def _files(source: Source) -> Iterator[hub.RemoteFile]:
    tokenizer, text_model = source.tokenizer, source.text_model
    if source.repo or source.url:
        listed = {file.path: file for file in hub.files(source.repo, kind="model")} if source.repo else {}
        weights = next((listed[name] for name in source.filenames if name in listed), None)
        if weights is None and not source.url:
            raise DownloadFailed(
                f"{source.repo} holds no weights for open_clip ({' or '.join(source.filenames)}); choose another one."
            )
        if source.config:
            if source.config not in listed:
                raise DownloadFailed(
                    f"{source.repo} holds no {source.config}: open_clip cannot load it; choose another."
                )
            needs = model_config.parse(hub.read_text(listed[source.config]), name=_name(listed[source.config]))
            tokenizer, text_model = needs.tokenizer, needs.text_model
        yield weights or hub.plain(source.url, sha256=_sha256_in(source.url))
        if source.config:
            yield listed[source.config]
    if tokenizer:
        yield from _tokenizer_files(tokenizer)
    if text_model:
        yield _text_config(text_model)


def _tokenizer_files(repository: str) -> Iterator[hub.RemoteFile]:
    """A tokenizer's files; those that say how it is made are looked at before anything is fetched."""
    files = [file for file in hub.files(repository, kind="model") if file.path in _TOKENIZER]
    if not any(file.path in hf_files.VOCABULARIES for file in files):
        raise DownloadFailed(f"{repository}, which the configuration names as tokenizer, holds none; choose another.")
    for file in files:
        if file.path in _SETTINGS:
            content = parse_object(hub.read_text(file), name=_name(file))
            hf_files.check_tokenizer(file.path, content, where=_name(file))
    yield from files


def _text_config(repository: str) -> hub.RemoteFile:
    files = hub.files(repository, kind="model")
    config = next((file for file in files if file.path == hf_files.CONFIG), None)
    if config is None:
        raise DownloadFailed(f"{repository}, which the configuration names as text tower, holds no {hf_files.CONFIG}.")
    model_config.checked_text_model(parse_object(hub.read_text(config), name=_name(config)), name=_name(config))
    return config


def _name(file: hub.RemoteFile) -> str:
    return f"{file.path} of {file.repository.id}" if file.repository else file.path


def _fetch(file: hub.RemoteFile, advance: hub.Advance) -> None:
    if file.repository is None or file.blob:
        hub.download(file, _place(file), advance=advance)
    if file.repository is None:
        return
    with hub.download_errors(file.path):
        # The content is in its place: huggingface_hub only links it into the snapshot of this commit.
        hf_hub_download(
            file.repository.id,
            file.path,
            repo_type=file.repository.kind,
            revision=file.repository.commit,
            cache_dir=constants.HF_HUB_CACHE,
            endpoint=hub.endpoint(),
            library_name="tailscope",
        )


def _point_main_to(repository: hub.Repository) -> None:
    """Make a commit what huggingface_hub finds offline; done last, so that an older snapshot serves until then."""
    newest = _folder(repository) / "refs" / constants.DEFAULT_REVISION
    with hub.download_errors(repository.id):
        newest.parent.mkdir(exist_ok=True)
        write_bytes(newest, repository.commit.encode())


def _folder(repository: hub.Repository) -> Path:
    return Path(constants.HF_HUB_CACHE) / f"{repository.kind}s--{repository.id.replace('/', '--')}"


def _place(file: hub.RemoteFile) -> Path:
    """Where the content will be: a blob of huggingface_hub's cache, or open_clip's folder for plain URLs."""
    if file.repository is None:
        return Path("~/.cache/clip").expanduser() / file.path
    return _folder(file.repository) / "blobs" / file.blob


def _is_here(file: hub.RemoteFile) -> bool:
    if file.repository is None:
        return _place(file).is_file() and _place(file).stat().st_size == file.size
    id, kind, commit = file.repository.id, file.repository.kind, file.repository.commit
    newest = [
        try_to_load_from_cache(id, file.path, cache_dir=constants.HF_HUB_CACHE, revision=revision, repo_type=kind)
        for revision in (commit, constants.DEFAULT_REVISION)
    ]
    return isinstance(newest[0], str) and newest[0] == newest[1]


def _target(weights: hub.RemoteFile) -> Path:
    if weights.repository is None:
        return _place(weights).parent
    return _folder(weights.repository) / "snapshots" / weights.repository.commit


def _origin(weights: hub.RemoteFile) -> str:
    if weights.repository is None:
        return weights.url
    return f"{weights.repository.id} (commit {weights.repository.commit[:7]})"


def _sha256_in(url: str) -> str:
    """The beginning of the checksum that open_clip's own releases carry in their names."""
    return PurePosixPath(url).stem.rpartition("-")[2] if "mlfoundations" in url else ""
