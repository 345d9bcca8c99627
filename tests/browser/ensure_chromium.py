"""Make sure a Chromium is there for the browser tests: the system's, else apt as root, else Playwright's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from pages.bench.browsing import find_chromium


def main() -> None:
    if find_chromium():
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "-qq", *arguments], check=False, env=quiet)
    if not find_chromium():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


if __name__ == "__main__":
    main()
