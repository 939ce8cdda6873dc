"""The folder of a page's uploads and results, which are deleted after a while."""

import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PageFolder:
    """A temporary folder of one page."""

    path: Path

    def new(self, name: str) -> Path:
        """A path for a new result called `name`, in a folder of its own."""
        folder = self.path / uuid.uuid4().hex
        folder.mkdir()
        return folder / name

    def delete_older(self, than_s: float) -> None:
        """Delete everything that was last changed more than `than_s` seconds ago."""
        limit = time.time() - than_s
        for each in self.path.iterdir():
            try:
                if each.stat().st_mtime < limit:
                    shutil.rmtree(each) if each.is_dir() else each.unlink()
            except FileNotFoundError:
                continue


@contextmanager
def page_folder() -> Iterator[PageFolder]:
    """A folder for the time that a page is served."""
    with tempfile.TemporaryDirectory(prefix="dfmnist-page-", ignore_cleanup_errors=True) as path:
        yield PageFolder(Path(path))
