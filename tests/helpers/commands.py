"""Commands run on a shipped model and a few freshly drawn pictures, in this process or in prepared ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from core.cli.app import app
from core.icons.concepts import concepts
from core.icons.corpus import draw
from core.icons.render import render

MODEL = "icon-RN,icons-200k"
SHOWN, EACH = 10, 4
ROOT = Path(__file__).resolve().parents[2]

_FORKS = """
import json, os, resource, sys, traceback
import open_clip, core.evaluation.evaluate, core.models.encoder
from core.cli.app import main
for line in sys.stdin:
    arguments, cache, limit = json.loads(line)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.environ["TAILSCOPE_CACHE"], sys.argv[1:], code = cache, arguments, 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(write, 2)
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            code = main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        said = pipe.read()
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said]), flush=True)
"""


@dataclass(frozen=True)
class Commands:
    """Runs commands in forks of one process that has imported what they need, which takes longer than most of them."""

    process: subprocess.Popen[str]

    def run(self, arguments: list[str], cache: Path, *, limit: int = 0) -> tuple[int, str]:
        """Exit status and standard error of a command; no file may grow beyond ``limit`` bytes."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([arguments, str(cache), limit]), file=self.process.stdin, flush=True)
        code, said = json.loads(self.process.stdout.readline())
        return code, said


@contextmanager
def prepared() -> Iterator[Commands]:
    """The process that commands are forked from, until the block ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _FORKS], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Commands(process)
        finally:
            process.kill()


def draw_folder(root: Path) -> Path:
    """Class folders of freshly drawn icons, from the commonest to the rarest concepts."""
    for place, concept in enumerate(concepts()[:: len(concepts()) // SHOWN][:SHOWN]):
        (root / concept.key).mkdir()
        for index in range(EACH):
            seed = (9, place, index)
            render(draw(concept, np.random.default_rng([2, *seed]), seed)).save(root / concept.key / f"{index}.png")
    return root


def output(*arguments: str) -> Any:
    """What a command printed as JSON."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
