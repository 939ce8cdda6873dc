"""Settings of the page."""

from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.errors import InputError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that no other machine can reach."""
KEPT_S = 3600
"""Seconds after which uploads and results are deleted."""


@dataclass(frozen=True)
class ServeConfig:
    """Settings of the page."""

    host: str = "127.0.0.1"
    """Address to listen on. With the default, no other machine can reach the page."""
    port: int = 7860
    """Port to listen on; 0 takes a free one."""
    max_upload_mb: int = 200
    """Largest upload in megabytes."""
    dataset: Path | None = None
    """Dataset folder to look through."""
    report: Path | None = None
    """Folder that `dfmnist report` wrote, served below `/report/`."""
    run: str | None = None
    """Run folder, file of weights or published name of the detector; none is the one that ships."""
    liveness: tuple[str, ...] = ()
    """Liveness detectors, as `dfmnist liveness check --detector` takes them; none means the
    action detector and the universal one."""

    def __post_init__(self) -> None:
        """Check what the user typed. Raises `InputError`."""
        if not 0 <= self.port <= 65_535:
            raise InputError(f"--port {self.port}; expected 0 to 65535")
        if self.max_upload_mb < 1:
            raise InputError(f"--max-upload-mb {self.max_upload_mb}; expected 1 or more")

    @property
    def is_local(self) -> bool:
        """Whether no other machine can reach the page."""
        return self.host in LOOPBACK or self.host.startswith("127.")
