"""What `import dfmnist` offers of this room: `load`."""

from pathlib import Path

from dfmnist.dataset.manifest import Manifest, read_manifest


def load(dataset: str | Path) -> Manifest:
    """Load a dataset: its folder, or its metadata.jsonl, as a `Manifest` of validated clips.

    Raises `InputError` with the file and line for a record that is wrong.

    Examples:
        >>> import dfmnist
        >>> manifest = dfmnist.load("mydata")
        >>> clips = manifest.select(split="test", quality="raw", label="fake").clips
        >>> manifest.path(clips[0]).exists()
        True
    """
    return read_manifest(Path(dataset))
