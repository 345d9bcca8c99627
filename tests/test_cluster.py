"""Embedding and counting on a Ray cluster of two machines: what the local engine gives, whatever happens to a worker.

Drivers run in processes of their own: what Ray leaves open in a process must not reach other tests.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cache import CacheError, keys
from cache.matrices import MatrixStore
from core.cli.app import app
from core.cli.engines import chosen
from core.cluster import dealing, session
from core.cluster.embedding import Order, ShardWorker
from core.cluster.session import Share, processors, share
from core.errors import BadInput, ExtraMissing, TailscopeError
from core.evaluation.embed import embed_images, image_key
from core.types import LeftOut
from tests import ray_parts, tiny
from tests.fakes import FakeEncoder
from tests.helpers.processes import ended, python

REPOSITORY = Path(__file__).parents[1]
Driver = AbstractContextManager[subprocess.Popen[str]]
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "OMP_NUM_THREADS": "1",
}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="Ray Data is an optional extra")]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the cluster of this module answers."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.ray_cluster"],
        cwd=REPOSITORY,
        env={**os.environ, **ENVIRONMENT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            try:
                process.wait(30)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)


def driver(address: str, folder: Path, *, encoder: str, then: str = "", retries: int = 3) -> Driver:
    """Start a driver that embeds ``ray_parts.images()`` into ``folder`` and prints what came of it as JSON."""
    script = f"""
    import json, sys
    from functools import partial
    from pathlib import Path
    from cache.matrices import MatrixStore
    from core.cluster.embedding import embed_on_ray
    from core.errors import TailscopeError
    from tests import ray_parts
    store, log, said = MatrixStore({str(folder)!r}), Path({str(folder.parent)!r}) / "log", []
    def report(progress):
        said.append(progress.message)
        {then or "pass"}
    try:
        found = embed_on_ray({encoder}, ray_parts.images, store, address={address!r}, report=report,
                             batch=ray_parts.BATCH, shard_rows=ray_parts.SHARD_ROWS, retries={retries})
        print(json.dumps({{"key": found.key, "said": said}}))
    except TailscopeError as error:
        print(json.dumps({{"error": type(error).__name__, "sentence": str(error)}}))
    """
    return started(script)


def started(script: str) -> Driver:
    return python(textwrap.dedent(script), env=ENVIRONMENT, quiet=True)


def outcome(run: Driver) -> dict:
    """What a driver printed at its end."""
    with run as process:
        return json.loads(ended(process).splitlines()[-1])


def forward_passes(log: Path) -> list[tuple[int, int]]:
    return [tuple(map(int, line.split())) for line in log.read_text().splitlines()]


@pytest.fixture
def local(tmp_path: Path) -> np.ndarray:
    """What the local engine makes of the same pictures."""
    store = MatrixStore(tmp_path / "local")
    return embed_images(
        FakeEncoder(), ray_parts.images(), store, batch=ray_parts.BATCH, shard_rows=ray_parts.SHARD_ROWS
    ).vectors


def test_a_worker_is_killed_and_nothing_is_lost_or_computed_in_vain(address, tmp_path, local):
    folder = tmp_path / "store"
    found = outcome(driver(address, folder, encoder="partial(ray_parts.KillingEncoder, log, once_there=store.folder)"))
    store = MatrixStore(folder)
    np.testing.assert_array_equal(store.open(found["key"]), local)
    assert (tmp_path / "log.killed").exists(), "no worker was killed"
    passes = forward_passes(tmp_path / "log")
    # 49 readable pictures; the shard in flight was lost, and nothing else was computed again.
    assert 49 <= sum(count for _, count in passes) <= 49 + ray_parts.SHARD_ROWS
    assert len({process for process, _ in passes}) >= 2


def test_a_corrupt_shard_and_bad_pictures_end_as_with_the_local_engine(address, tmp_path, local):
    folder = tmp_path / "store"
    stopped = "if progress.done >= 20: raise __import__('core.errors').errors.Stopped('enough')"
    first = outcome(driver(address, folder, encoder="partial(ray_parts.LoggingEncoder, log)", then=stopped))
    assert first["error"] == "Stopped"
    shards = sorted(folder.glob("*.shards/*.npy"))
    assert len(shards) >= 2
    damaged = bytearray(shards[0].read_bytes())
    damaged[-50] ^= 1
    shards[0].write_bytes(damaged)
    before = sum(count for _, count in forward_passes(tmp_path / "log"))
    found = outcome(driver(address, folder, encoder="partial(ray_parts.LoggingEncoder, log)"))
    store = MatrixStore(folder)
    np.testing.assert_array_equal(store.open(found["key"]), local)
    computed = sum(count for _, count in forward_passes(tmp_path / "log"))
    assert computed - before <= 49 - 9 * (len(shards) - 2), "sound shards were computed again"
    assert [row for row, *_ in store.meta(found["key"])["left_out"]] == list(ray_parts.BROKEN)
    here = embed_images(FakeEncoder(), ray_parts.images(), store)
    assert here.key == found["key"]
    assert here.left_out[0] == LeftOut("key1/7", "key1/7 is cut short; it was left out.")


def test_of_two_jobs_at_once_the_second_waits_and_reads(address, tmp_path, local):
    folder = tmp_path / "store"
    one, other = (driver(address, folder, encoder="partial(ray_parts.LoggingEncoder, log, pause=0.3)") for _ in "12")
    with one as first, other as second:
        found = [json.loads(ended(process).splitlines()[-1]) for process in (first, second)]
    np.testing.assert_array_equal(MatrixStore(folder).open(found[0]["key"]), local)
    assert found[0]["key"] == found[1]["key"]
    assert sum(count for _, count in forward_passes(tmp_path / "log")) == 49, "something was computed twice"
    assert [path.name for path in folder.glob("*.shards")] == []


def test_a_part_that_kills_its_workers_ends_the_job(address, tmp_path):
    found = outcome(driver(address, tmp_path / "store", encoder="partial(ray_parts.KillingEncoder, log)", retries=0))
    assert found["error"] == "TailscopeError"
    assert re.search("Part [0-5] was lost with its worker 1 times", found["sentence"])


def test_a_failure_of_a_worker_ends_the_job_with_its_sentence(address, tmp_path):
    found = outcome(driver(address, tmp_path / "store", encoder="ray_parts.RefusingEncoder"))
    assert found == {"error": "BadInput", "sentence": "These pictures are refused."}


def order(folder: Path, **changes: object) -> Order:
    key = image_key(FakeEncoder(), ray_parts.images())
    return replace(Order(FakeEncoder, ray_parts.images, str(folder), key, 6, ray_parts.BATCH, 1), **changes)


def test_a_worker_that_computes_otherwise_is_refused(tmp_path):
    with pytest.raises(BadInput, match="would compute other vectors of fake-6-60 with fake,fake"):
        ShardWorker(order(tmp_path, load=ray_parts.OtherEncoder))


def test_a_worker_that_does_not_see_the_store_is_refused(tmp_path):
    with pytest.raises(CacheError, match="the store is not shared with this machine"):
        ShardWorker(order(tmp_path / "elsewhere"))


def test_a_worker_that_others_took_for_lost_does_no_harm(tmp_path, local):
    """Two workers on one shard, and one that finds it there."""
    order_, store = order(tmp_path / "store"), MatrixStore(tmp_path / "store")
    writer = store.writer(order_.key, shards=6)
    workers = [ShardWorker(order_) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        assert [list(found) for found in pool.map(lambda worker: worker(2), workers[:2])] == [found_in(2)] * 2
    assert workers[2](2) == found_in(2)
    assert workers[2](1) == []
    np.testing.assert_array_equal(writer.read(1), local[9:19])
    assert len(writer.read(2)) == 0


def found_in(shard: int) -> list[list[object]]:
    names = ray_parts.images().image_ids
    rows = [row for row in ray_parts.BROKEN if row // ray_parts.SHARD_ROWS == shard]
    return [[row, names[row], f"{names[row]} is cut short; it was left out.", None] for row in rows]


def stored(folder: Path) -> dict[str, object]:
    """File name -> bytes of the vectors, or what is said of them but for the mark of when they were written."""
    vectors: dict[str, object] = {path.name: path.read_bytes() for path in folder.glob("*.npy")}
    said = {path.name: json.loads(path.read_bytes()) for path in folder.glob("*.json")}
    return vectors | {
        name: {key: value for key, value in one["value"].items() if key != "made"} for name, one in said.items()
    }


def test_the_command_gives_the_vectors_of_the_local_engine_bit_for_bit(address, tmp_path):
    from PIL import Image

    model, photos = tiny.save(tmp_path / "model"), tmp_path / "photos"
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 40, 3), np.uint8)
    for index, picture in enumerate(pixels):
        (photos / f"class{index % 3}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(photos / f"class{index % 3}" / f"{index}.png")
    (photos / "class0" / "0.png").write_bytes(b"no picture")
    done = subprocess.run(
        [sys.executable, "-m", "core", "embed", f"local-dir:{model}", str(photos), "--engine", "ray"],
        cwd=REPOSITORY,
        env={**os.environ, **ENVIRONMENT, "RAY_ADDRESS": address, "TAILSCOPE_EMBEDDINGS": str(tmp_path / "shared")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"23 of 24 images embedded (engine: ray at {address})" in done.stdout
    here = CliRunner().invoke(app, ["embed", f"local-dir:{model}", str(photos)])
    assert "23 of 24 images embedded (engine: local)" in here.output
    found, expected = (stored(folder) for folder in (tmp_path / "shared", keys.embeddings()))
    assert len(expected) == 2
    assert found == expected


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    """Six files of captions, one of which is cut short."""
    folder, rng = tmp_path / "captions", np.random.default_rng(0)
    folder.mkdir()
    words = ["red", "blue", "apple", "apples", "bat", "night snake", "snake", "lamp"]
    for number in range(6):
        lines = [" ".join(rng.choice(words, 5)) for _ in range(200)]
        (folder / f"{number}.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    damaged = folder / "3.txt.gz"
    damaged.write_bytes(damaged.read_bytes()[:-200])
    (tmp_path / "names.txt").write_text("apple\nsnake\nnight snake\nbat\nzebra\n")
    return folder


def test_counting_survives_a_killed_worker_and_gives_the_local_counts(address, tmp_path, captions):
    script = f"""
    from pathlib import Path
    from core.cluster import counting
    from core.counting import run
    from core.counting.names import concepts
    from tests.ray_parts import KillingCounter
    counting.PartCounter = KillingCounter
    request = run.Request({str(captions)!r}, concepts({str(tmp_path / "names.txt")!r}))
    with counting.counting_on_ray(address={address!r}) as engine:
        result = run.count(request, Path({str(tmp_path / "ray")!r}), engine=engine)
    print(json.dumps({{"rows": result.text.tally.rows, "left_out": [item.item for item in result.left_out]}}))
    """
    found = outcome(started("    import json" + script))
    here = CliRunner().invoke(
        app,
        [
            "frequency",
            "count",
            str(captions),
            "--concepts",
            str(tmp_path / "names.txt"),
            "--out",
            str(tmp_path / "here"),
        ],
    )
    assert "(engine: local)" in here.output, here.output
    assert found == {"rows": 1000, "left_out": ["3.txt.gz"]}
    assert (tmp_path / "ray" / "killed").exists(), "no worker was killed"
    begun = [line.split()[1] for line in (tmp_path / "ray" / "log").read_text().splitlines()]
    assert max(begun.count(number) for number in begun) == 2
    assert len(begun) == 7
    assert (tmp_path / "ray" / "counts.csv").read_bytes() == (tmp_path / "here" / "counts.csv").read_bytes()


def test_a_second_count_of_the_same_captions_counts_nothing_again(address, tmp_path, captions):
    command = ["frequency", "count", str(captions), "--concepts", str(tmp_path / "names.txt")]
    here = tmp_path / "here"
    assert CliRunner().invoke(app, [*command, "--out", str(here)]).exit_code == 0
    times = {path: path.stat().st_mtime_ns for path in here.glob("parts/*/*")}
    first = (here / "counts.csv").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "core", *command, "--out", str(here), "--engine", "ray", "--address", address],
        cwd=REPOSITORY,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert f"(engine: ray at {address})" in done.stdout, done.stderr[-3000:]
    assert {path: path.stat().st_mtime_ns for path in here.glob("parts/*/*")} == times
    assert len(times) == 5
    assert (here / "counts.csv").read_bytes() == first


def machines(*resources: dict[str, float]) -> SimpleNamespace:
    """A Ray that knows these machines, and one that is gone."""
    nodes = [{"Alive": True, "Resources": each} for each in resources]
    gone = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    total = {"CPU": sum(each.get("CPU", 0) for each in resources)}
    return SimpleNamespace(nodes=lambda: [*nodes, gone], cluster_resources=lambda: total)


@pytest.mark.parametrize(
    ("resources", "workers", "expected"),
    [
        ([{"CPU": 16.0}, {"CPU": 8.0}], None, Share(2, 8, 0)),
        ([{"CPU": 16.0}, {"CPU": 8.0}], 4, Share(4, 4, 0)),
        ([{"CPU": 2.0}], 5, Share(5, 1, 0)),
        ([{"CPU": 16.0, "GPU": 4.0}, {"CPU": 64.0}], None, Share(4, 4, 1)),
        ([{"CPU": 16.0, "GPU": 4.0}, {"CPU": 8.0, "GPU": 1.0}], 9, Share(5, 4, 1)),
        ([{"CPU": 16.0, "GPU": 4.0}], 1, Share(1, 4, 1)),
        ([{"CPU": 1.0, "GPU": 2.0}], None, Share(2, 1, 1)),
    ],
)
def test_a_cluster_is_cut_by_its_gpus_else_by_its_machines(resources, workers, expected):
    assert share(machines(*resources), workers=workers) == expected


def test_counting_takes_every_processor():
    assert processors(machines({"CPU": 16.0, "GPU": 4.0}, {"CPU": 8.0})) == Share(24, 1, 0)
    assert processors(machines({"CPU": 16.0}), workers=3) == Share(3, 1, 0)
    for cut in (share, processors):
        with pytest.raises(BadInput, match="offers a processor"):
            cut(machines({"memory": 1.0}))


def test_without_ray_the_local_engine_is_used_and_says_so(monkeypatch, capsys):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(session, "available", lambda: False)
    assert str(chosen("ray", None, None)) == "local"
    assert capsys.readouterr().err == 'Ray Data is not installed (pip install "ray[data]"): the local engine is used.\n'
    with (
        pytest.raises(ExtraMissing, match=r'pip install "ray\[data\]"'),
        session.session(chosen("ray", "10.0.0.1:6379", None).address),
    ):
        pass


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(BadInput, match=r"Ray Client addresses \(ray://\)"), session.session("ray://10.0.0.1:10001"):
        pass
    with pytest.raises(BadInput, match="give HOST:PORT"), session.session("my-cluster"):
        pass
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with (
        pytest.raises(BadInput, match=rf"No Ray cluster answers at 127.0.0.1:{free}"),
        session.session(f"127.0.0.1:{free}"),
    ):
        pass
    with pytest.raises(typer.BadParameter, match="belong to --engine ray"):
        chosen("local", "10.0.0.1:6379", None)
    with pytest.raises(typer.BadParameter, match="belong to --engine ray"):
        chosen("local", None, 2)
    assert not chosen("local", None, 2, processes=True).ray


def test_a_result_that_never_shows_is_told(monkeypatch):
    monkeypatch.setattr(dealing, "PATIENCE", 0.3)
    with pytest.raises(TailscopeError, match="must be shared"):
        dealing.wait_until(lambda: False, "It must be shared.")
    seen = iter([False, True])
    dealing.wait_until(lambda: next(seen), "It must be shared.")
