"""What is decided by whoever publishes a dataset."""

import datetime
import os
import re
from dataclasses import dataclass

from dfmnist.core.errors import InputError


@dataclass(frozen=True)
class ExportConfig:
    """Settings of an export."""

    name: str = ""
    """Name of the dataset in its card and in croissant.json. Empty: the name in dataset.json."""
    description: str = ""
    """Sentences about the dataset that stand first in its card and in croissant.json."""
    version: str = "1.0.0"
    """Version of the dataset: MAJOR.MINOR.PATCH."""
    url: str = ""
    """Address of the dataset's page, which Croissant asks for."""
    creator: str = ""
    """Who made the dataset, which Croissant asks for."""
    citation: str = ""
    """How to cite the dataset, best as BibTeX."""
    published: str = ""
    """Day of publication, as 2026-01-31. Empty: today, or the day of SOURCE_DATE_EPOCH."""
    licence: str = ""
    """Licence of the clips whose records state none, best an SPDX identifier such as CC-BY-4.0."""
    consent: str = ""
    """What the people agreed to, for the clips whose records state nothing about it."""
    qualities: tuple[str, ...] = ()
    """Qualities to publish; none named: all."""
    webdataset: bool = False
    """Whether to write the clips as WebDataset shards too."""
    shard_mb: int = 500
    """Size of a WebDataset shard in megabytes; a larger clip has a shard of its own."""

    def __post_init__(self) -> None:
        """Check what the user typed."""
        if not re.fullmatch(r"\d+\.\d+\.\d+", self.version):
            raise InputError(f"version={self.version}; expected MAJOR.MINOR.PATCH, such as 1.0.0")
        if self.url and not re.fullmatch(r"https?://\S+", self.url):
            raise InputError(f"url={self.url}; expected an address that begins with https://")
        if self.shard_mb < 1:
            raise InputError(f"shard_mb={self.shard_mb}; expected 1 or more")
        if self.published:
            try:
                datetime.date.fromisoformat(self.published)
            except ValueError:
                text = f"published={self.published}; expected a day such as 2026-01-31"
                raise InputError(text) from None

    @property
    def day(self) -> str:
        """Day of publication as ISO 8601."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
        now = datetime.datetime.now(datetime.UTC)
        if epoch.isdigit():
            now = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        return self.published or now.date().isoformat()
