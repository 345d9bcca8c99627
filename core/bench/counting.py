"""Bench rows of counting concepts in captions: speed beside a spaCy index, and what size costs in time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.bench import Row, seconds
from core.errors import ExtraMissing
from core.paths import IMPORT_ROOT
from core.runtime.machine import cores

_WORDS, _CHUNK = 50_000, 1_000_000
_TIMED = """
import json, os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(json.dumps([time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss]))
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Runs a command from a small process: Linux counts the size of whoever starts one among its own peak."""
LIMIT = 2e9
"""Bytes that a run may hold on a machine of two cores, however large its input."""


def count_captions() -> list[Row]:
    """Captions a second of one core of the engine against a plain spaCy noun-lemma index on the same captions."""
    from core.counting.captions import TextCounter
    from core.counting.paper import SPELLER, nouns, pipeline
    from core.counting.query import Query, spelled
    from core.counting.tally import Tally
    from core.icons.concepts import concepts
    from core.icons.corpus import corpus

    name, against = "count_captions", f"a spaCy noun-lemma index ({SPELLER}) on the same captions"
    captions = [pair.caption for pair in corpus("icons-10k")]
    names = {concept.key: concept.name for concept in concepts()}
    query = Query("text", tuple(names), spelled(names, {}))

    fresh = iter([TextCounter(query, seed=0) for _ in range(3)])  # one for each repetition: none knows the words yet

    def count() -> None:
        next(fresh).count(Tally.empty(len(names)), captions, first=0)

    ours = seconds(count) / len(captions)
    try:
        tagger = pipeline(SPELLER)
    except ExtraMissing:
        reason = f"spaCy's language model {SPELLER} is not installed. {_without_it(captions, ours)}"
        return [Row(name, None, ">=", 50.0, against, len(captions), reason)]
    few = captions[:1000]
    theirs = seconds(lambda: [nouns(doc) for doc in tagger.pipe(few)]) / len(few)
    return [Row(name, theirs / ours, ">=", 50.0, against, len(captions))]


def _without_it(captions: list[str], ours: float) -> str:
    """What can be told without the language model: the speed here, and beside the one step of the index that needs
    none."""
    told = f"Counted here: {1 / ours:,.0f} captions a second and core"
    try:
        import spacy
    except ImportError:
        return told
    tokeniser = spacy.blank("en")
    alone = seconds(lambda: [doc[:1] for doc in tokeniser.pipe(captions)]) / len(captions)
    return f"{told}, {alone / ours:.1f} times as many as spaCy only splits into tokens, before it tags or lemmatises"


@dataclass(frozen=True, slots=True)
class Cost:
    """One run of the command line over synthetic captions, everything included.

    Attributes:
        captions, workers: how many; seconds: wall clock; cpu: seconds of all processes, which a busy machine leaves as
            they are; peak: bytes, an upper bound of all processes together (the
            largest of them times their number).
    """

    captions: int
    workers: int
    seconds: float
    cpu: float
    peak: float


def synthetic(path: Path, n: int) -> None:
    """Write n captions as Parquet: sentences of the icon world with two words of a Zipf-distributed vocabulary."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from core.icons.corpus import corpus

    rng = np.random.default_rng(0)
    base = pa.array([pair.caption for pair in corpus("icons-10k")])
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = pa.array(["".join(rng.choice(letters, rng.integers(3, 10))) for _ in range(_WORDS)])
    with pq.ParquetWriter(path, pa.schema([("caption", pa.string())]), compression="zstd") as writer:
        for low in range(0, n, _CHUNK):
            rows = min(_CHUNK, n - low)
            picked = [words.take(pa.array(np.minimum(rng.zipf(1.3, rows), _WORDS) - 1)) for _ in range(2)]
            sentences = base.take(pa.array(rng.integers(0, len(base), rows)))
            texts = pc.binary_join_element_wise(sentences, *picked, " ")
            writer.write_table(pa.table({"caption": texts}), row_group_size=250_000)


def cost(n: int, *, workers: int | None = None) -> Cost:
    """Count n synthetic captions with a fresh command line; needs about 30 bytes of disk for each."""
    workers = workers or cores()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions.parquet"
        synthetic(path, n)
        command = [
            "-m",
            __name__.partition(".bench")[0],
            "frequency",
            "count",
            str(path),
            "--concepts",
            "icons",
            "--out",
            f"{folder}/out",
        ]
        timed = [sys.executable, "-c", _TIMED, sys.executable, *command, "--workers", str(workers)]
        done = subprocess.run(timed, cwd=IMPORT_ROOT, capture_output=True, text=True, check=True)
        took, cpu, peak = json.loads(done.stdout)
        facts = json.loads((Path(folder) / "out" / "provenance.json").read_text(encoding="utf-8"))
    if facts["rows"] != n:
        raise RuntimeError(f"counted {facts['rows']:,} of {n:,} captions")
    return Cost(n, workers, took, cpu, peak * (1 if sys.platform == "darwin" else 1024) * (workers + 1))


def count_size(small: int = 100_000, large: int = 1_000_000) -> list[Row]:
    """What ten times the captions cost: time for each at most the same, memory flat and below its limit."""
    few, many = cost(small), cost(large)
    against = f"{small:,} captions, start included"
    ratio = (many.cpu / large) / (few.cpu / small)
    return [
        Row("count_captions_size", ratio, "<=", 1.1, f"processor time for each of {against}", large),
        Row("count_captions_memory", many.peak / LIMIT, "<=", 1.0, "2 GB for all processes together", large),
    ]
