"""A loaded model: images and texts in, unit vectors out. The only user of torch in the hot path.

Encoders are not for several threads at once: the engine's worker owns them. ``Encoder.preprocess`` and
``Encoder.token_counts`` are the exceptions.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from PIL import Image

from core.errors import BadInput, TailscopeError, UnreadableData
from core.models.learned_context import start_context, text_function
from core.models.loading import Loaded, load, runs_in_float32
from core.models.text_tower import text_lengths, trimmed_text_features
from core.runtime.machine import return_freed_memory
from core.types import LearnedContext

TEXT_TOKENS = {"cpu": 2048, "mps": 16384, "cuda": 65536}
"""Tokens of one text batch by device: short prompts come in larger batches."""

CONTEXT_BLOCK = 256
"""Texts under a learned context that are encoded at a time."""

MAX_ASPECT = 100
"""Elongation from which a picture is refused: resizing its short side would blow the long one up beyond memory."""


class Closeable(Protocol):
    """A model that gives its memory back."""

    def close(self) -> None: ...


M = TypeVar("M", bound=Closeable)
M_co = TypeVar("M_co", bound=Closeable, covariant=True)


class Encoder:
    """One model in memory.

    Attributes:
        id: canonical name; dim: length of the vectors; context_length: tokens of the text tower.
        scale: exp(logit_scale); bias: logit_bias (0 without one); sigmoid: trained with a sigmoid loss.
        precision: ``float32``, ``bf16`` or ``fp16``, as resolved for this machine.
        std: what the three channels of a picture in [0, 1] are divided by.
        fingerprint: what decides the vectors, and where they are made (JSON; see ``core.models.loading``).
    """

    def __init__(self, loaded: Loaded) -> None:
        self.id = loaded.id
        self.precision = loaded.precision
        self.fingerprint = loaded.fingerprint
        self.context_length = loaded.context_length
        self.device = torch.device(loaded.device)
        self._model = loaded.model
        self._tokenizer = loaded.tokenizer
        self._resize, self._mean, self._std = loaded.resize, loaded.mean, loaded.std
        self.std = tuple(self._std.flatten().tolist())
        self._most: dict[str, int] = {}
        self.scale = float(self._model.logit_scale.detach().exp())
        logit_bias = getattr(self._model, "logit_bias", None)
        self.sigmoid = logit_bias is not None
        self.bias = 0.0 if logit_bias is None else float(logit_bias.detach())
        self.dim = self.encode_texts([""]).shape[1]

    def preprocess(self, picture: Image.Image) -> np.ndarray:
        """The pixels that the model sees of an RGB picture: uint8 [h, w, 3]; UnreadableData for a sliver."""
        long, short = max(picture.size), min(picture.size)
        if long > MAX_ASPECT * short:
            raise UnreadableData(f"a picture of {picture.width} x {picture.height} pixels is too elongated to resize.")
        return np.asarray(self._resize(picture))

    def encode_images(self, batch: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Unit vectors float32 [n, d] of preprocessed pictures uint8 [n, h, w, 3]."""
        pixels = torch.from_numpy(np.stack(list(batch)))
        parts = self._halving("images", len(pixels), lambda part: self._image_vectors(pixels[part]))
        return np.concatenate(list(parts))

    def image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Image vectors [n, d] (not normalised) of float [n, 3, h, w] in [0, 1]; gradients flow to the pixels."""
        return self._model.encode_image(((pixels - self._mean) / self._std).to(self._dtype))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, d]; equal texts are encoded once, batches hold texts of similar length."""
        unique = list(dict.fromkeys(texts))
        if not unique:
            return np.zeros((0, self.dim), np.float32)
        tokens = self._tokenizer(unique)  # [u, context]
        lengths = text_lengths(self._model, tokens)
        order = torch.argsort(lengths, stable=True)
        tokens, start = tokens[order], 0
        vectors: list[np.ndarray] = []
        while start < len(tokens):
            rows = _rows_of_budget(lengths[order][start:], TEXT_TOKENS[self.device.type])
            batch = tokens[start : start + rows]
            vectors += self._halving("texts", rows, partial(self._text_vectors_of, batch))
            start += rows
        places = dict(zip((unique[i] for i in order.tolist()), range(len(unique)), strict=True))
        return np.concatenate(vectors)[[places[text] for text in texts]]

    def in_context(self, texts: Sequence[str], size: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """From learned token vectors [k, width] to unit vectors of texts that begin with k placeholder words."""
        return text_function(self._model, self._tokenizer, texts, size)

    def start_context(self, size: int, seed: int) -> torch.Tensor:
        """Where a context of so many vectors starts (``core.models.learned_context``)."""
        return start_context(self._model, self._tokenizer, size, seed)

    @torch.no_grad()
    def encode_in_context(self, texts: Sequence[str], context: LearnedContext) -> np.ndarray:
        """Unit vectors float32 [n, d] of texts whose first words a learned context replaces.

        Raises:
            BadInput: the context was learned for other weights.
        """
        if context.weights != self.fingerprint["weights"]:
            raise BadInput(f"This context was learned for another model than {self.id}; learn one for it.")
        learned = torch.tensor(context.vectors, device=self.device)
        blocks = [texts[low : low + CONTEXT_BLOCK] for low in range(0, len(texts), CONTEXT_BLOCK)]
        vectors = [self.in_context(block, len(learned))(learned).cpu().numpy() for block in blocks]
        return np.concatenate([np.zeros((0, self.dim), np.float32), *vectors])

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of every text with its start and end marks, before truncation to ``context_length``."""
        return [self._count(text) for text in texts]

    def as_read(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The tokens of every text that the model reads, after truncation to ``context_length``."""
        return [tuple(row) for row in self._tokenizer(list(texts)).tolist()] if texts else []

    def close(self) -> None:
        """Drop the model and give its memory back."""
        del self._model
        gc.collect()
        _empty_device_cache(self.device)
        return_freed_memory()

    @torch.no_grad()  # not inference_mode: it keeps the towers off their fast paths
    def _image_vectors(self, pixels: torch.Tensor) -> np.ndarray:
        images = pixels.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)
        images = images.sub_(self._mean).div_(self._std).to(self._dtype)
        return self._unit(self._model.encode_image(images, normalize=True), "image")

    @torch.no_grad()
    def _text_vectors(self, tokens: torch.Tensor) -> np.ndarray:
        return self._unit(trimmed_text_features(self._model, tokens.to(self.device)), "text")

    @property
    def _dtype(self) -> torch.dtype:
        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision, torch.float32)

    def _unit(self, features: torch.Tensor, what: str) -> np.ndarray:
        vectors = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
        if not np.isfinite(vectors).all():
            remedy = "its weights are damaged" if self.precision == "float32" else "ask again with precision float32"
            raise TailscopeError(f"{self.id} gives {what} vectors that are not finite in {self.precision}: {remedy}.")
        return vectors

    def _halving(self, what: str, n: int, run: Callable[[slice], np.ndarray]) -> Iterator[np.ndarray]:
        """Vectors of n items in order; a batch that does not fit into memory is halved, and later ones stay smaller."""
        start = 0
        while start < n:
            size = min(n - start, self._most.get(what, n))
            try:
                yield run(slice(start, start + size))
                start += size
                continue
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
            # Outside the handler: inside it the traceback still holds the tensors of the failed batch.
            if size == 1:
                raise TailscopeError(
                    f"{self.id} needs more memory than this {self.device.type} has: use a smaller model."
                )
            self._most[what] = size // 2
            _empty_device_cache(self.device)

    def _text_vectors_of(self, tokens: torch.Tensor, part: slice) -> np.ndarray:
        return self._text_vectors(tokens[part])

    def _count(self, text: str) -> int:
        if hasattr(self._tokenizer, "encode"):
            return len(self._tokenizer.encode(text)) + 2
        assert hasattr(self._tokenizer, "tokenizer")  # open_clip's HFTokenizer
        return len(self._tokenizer.tokenizer(text).input_ids)


class Loader(Protocol[M_co]):
    """Loads a model of this disk in a precision (``auto`` or ``float32``)."""

    def __call__(self, model_id: str, /, *, precision: str) -> M_co: ...


class EncoderPool(Generic[M]):
    """The models in memory: at most ``limit``, the one used longest ago leaves first and is really freed.

    Args:
        state: model -> what its files are now (a value to compare): one whose files changed is loaded again.
    """

    def __init__(self, loader: Loader[M], *, state: Callable[[str], object], limit: int = 2) -> None:
        self.limit = limit
        self._loader = loader
        self._state = state
        self._held: OrderedDict[tuple[str, str], tuple[object, M]] = OrderedDict()

    def get(self, model_id: str, precision: str = "auto") -> M:
        """The model of this name as it is on the disk, loaded now unless it is in memory; errors of the loader."""
        key, state = (model_id, precision), self._state(model_id)
        if key in self._held and self._held[key][0] != state:
            self._held.pop(key)[1].close()
        if key not in self._held:
            while len(self._held) >= self.limit:
                self._held.popitem(last=False)[1][1].close()
            self._held[key] = state, self._loader(model_id, precision=precision)
        self._held.move_to_end(key)
        return self._held[key][1]

    def held(self) -> list[str]:
        """Names of the models in memory, the latest used last."""
        return [model_id for model_id, _ in self._held]

    def clear(self) -> None:
        """Free all of them."""
        while self._held:
            self._held.popitem()[1][1].close()


def load_encoder(model_id: str, *, precision: str = "auto", device: str | None = None) -> Encoder:
    """Load a model from this disk.

    Args:
        precision: ``auto`` (half precision where this machine is fast at it) or ``float32``.
        device: ``cuda``, ``mps`` or ``cpu``; the first of these that exists by default.

    Raises:
        UnknownName: no such model. WeightsMissing: it must be fetched; the message holds the command.
        UnreadableData: the files are not what they claim to be.
    """
    loaded = load(model_id, precision=precision, device=device)
    if loaded.precision == "float32":
        return Encoder(loaded)
    try:
        encoder = Encoder(loaded)
        encoder.encode_images([encoder.preprocess(Image.new("RGB", (64, 64)))])
        return encoder
    except (RuntimeError, TailscopeError) as error:
        # Towers from other libraries do not all run in half precision.
        reason = str(error).partition("\n")[0]
    encoder = Encoder(load(model_id, precision="float32", device=device))
    encoder.fingerprint["warnings"].append(runs_in_float32(loaded.precision, reason))
    return encoder


def _rows_of_budget(lengths: torch.Tensor, tokens: int) -> int:
    """How many of these rows (sorted by length) make a batch of at most ``tokens`` tokens; at least one."""
    cost = lengths * torch.arange(1, len(lengths) + 1)
    return max(1, int((cost <= tokens).sum()))


def _is_out_of_memory(error: RuntimeError) -> bool:
    # A CPU that runs out says so in a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _empty_device_cache(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
