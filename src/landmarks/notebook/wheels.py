"""Packages for another machine, fetched by pip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from landmarks.config import BundleSettings
from landmarks.errors import UserError

# Whose wheels the notebook's image takes.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def fetch_wheels(folder: Path, settings: BundleSettings) -> list[str]:
    """Download settings.wheels for that Python and platform into `folder`; returns their file names.

    Raises UserError where pip finds none, with pip's own words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if settings.wheels:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(folder)]
        command += ["--only-binary", ":all:", "--python-version", settings.python, "--implementation", "cp"]
        command += [word for platform in (*PLATFORMS, "any") for word in ("--platform", platform)] + list(settings.wheels)
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            words = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-1:]
            raise UserError(
                f"pip cannot get {', '.join(settings.wheels)}: {' '.join(words)}",
                where="bundle.wheels",
                next="go online, or another version, or bundle.python",
            )
    return sorted(path.name for path in folder.glob("*.whl"))
