"""The clips that the page plays: which ones, and their copies and still pictures in the folder."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dfmnist.core.actions import INFO, TEN, Action
from dfmnist.core.files import atomic_path
from dfmnist.dataset.manifest import Clip, Manifest, driver_file_name
from dfmnist.dataset.qualities import in_order
from dfmnist.media.image import read_image, write_image
from dfmnist.media.sample import sample_frames

SHOWN_QUALITY = "c23"
"""Quality that the page plays first; the reader can switch to the others."""


@dataclass(frozen=True)
class ShownClip:
    """A fake of one action and the real clip to compare it with, each by quality."""

    action: Action
    fake: dict[str, Clip]
    real: dict[str, Clip]
    """Empty when the dataset has none."""

    @property
    def any_fake(self) -> Clip:
        """The fake's record in its best quality."""
        return next(iter(self.fake.values()))


@dataclass(frozen=True)
class ClipTile:
    """One picture or player on the page; paths are relative to the page."""

    role: str
    """`source`, `driver`, `fake` or `real`."""
    tag: str
    caption: str
    alt: str
    src: str
    poster: str = ""
    by_quality: dict[str, str] = field(default_factory=dict)
    video: bool = True


@dataclass(frozen=True)
class ClipRow:
    """A line of tiles that play together."""

    id: str
    title: str
    motion: str
    tiles: tuple[ClipTile, ...]
    caption: str = ""


def pick(manifest: Manifest) -> list[ShownClip]:
    """The first fake of each action by name, from the test split where it has one; no picking.

    The real clip beside it is of the same person and action, else of that person, else of
    somebody else in that split who performs the same action.
    """
    samples = []
    for action in TEN:
        fakes = manifest.select(label="fake", action=action.value).clips
        if not fakes:
            continue
        first = min(fakes, key=lambda c: (c.split != "test", c.clip_id))
        reals = manifest.select(label="real", split=first.split).clips
        real = min(
            (r for r in reals if r.source == first.source or r.action is action),
            key=lambda r: (r.source != first.source, r.action is not action, r.clip_id),
            default=None,
        )
        samples.append(
            ShownClip(action, _qualities(fakes, first), _qualities(reals, real) if real else {})
        )
    return samples


def _qualities(clips: Sequence[Clip], one: Clip) -> dict[str, Clip]:
    found = {c.quality: c for c in clips if c.clip_id == one.clip_id}
    return {q: found[q] for q in in_order(found)}


def rows(
    manifest: Manifest, samples: Sequence[ShownClip], out: Path, *, synthetic: bool
) -> list[ClipRow]:
    """Copy the clips and pictures of the samples into `out/assets` and describe them."""
    who = "a synthetic actor" if synthetic else "the person"
    return [
        ClipRow(
            sample.action.value,
            INFO[sample.action].title,
            INFO[sample.action].motion[0].upper() + INFO[sample.action].motion[1:] + ".",
            tuple(_tiles(manifest, sample, out, who)),
        )
        for sample in samples
    ]


def opening_of(rows: Sequence[ClipRow]) -> ClipRow | None:
    """The row that opens the page: one of a large movement where there is one."""
    large = (Action.YAW, Action.OPEN_MOUTH, Action.SURPRISE, Action.SMILE)
    by_id = {row.id: row for row in rows}
    wanted = (*(action.value for action in large), *by_id)
    return next((by_id[name] for name in wanted if name in by_id), None)


def _tiles(manifest: Manifest, sample: ShownClip, out: Path, who: str) -> list[ClipTile]:
    fake, name = sample.any_fake, sample.action.value
    title = INFO[sample.action].title.lower()
    tiles = []
    source = manifest.root / "sources" / f"{fake.clip_id}.png"
    if source.is_file():
        path = out / "assets" / "clips" / f"{name}-source.jpg"
        write_image(path, read_image(source))
        alt = f"Still face of {fake.source}, the picture that was animated"
        src = path.relative_to(out).as_posix()
        tiles.append(ClipTile("source", "Photo", f"one frame of {who}", alt, src, video=False))
    driver = manifest.root / driver_file_name(fake.driver, sample.action, fake.take)
    if driver.is_file():
        src = _copy(driver, out, f"{name}-driver.mp4")
        poster = _poster(driver, out, f"{name}-driver.jpg")
        alt = f"Driving clip: {fake.driver} performs {title}"
        tiles.append(ClipTile("driver", "Driver", "someone else performs", alt, src, poster))
    tiles.append(
        _player(
            manifest, sample.fake, out, "fake", f"{name}-fake", "the photo, moved by the driver"
        )
    )
    if sample.real:
        real = next(iter(sample.real.values()))
        same = "the same person" if real.source == fake.source else "another person"
        did = (
            ""
            if real.action in (sample.action, None)
            else f" ({INFO[real.performed].title.lower()})"
        )
        said = f"{same}, filmed{did}"
        tiles.append(_player(manifest, sample.real, out, "real", f"{name}-real", said))
    return tiles


def _player(
    manifest: Manifest, clips: dict[str, Clip], out: Path, role: str, stem: str, caption: str
) -> ClipTile:
    by_quality = {
        q: _copy(manifest.path(clip), out, f"{stem}-{q}.mp4") for q, clip in clips.items()
    }
    shown = SHOWN_QUALITY if SHOWN_QUALITY in clips else next(iter(clips))
    clip = clips[shown]
    poster = _poster(manifest.path(clip), out, f"{stem}.jpg")
    did = f", {INFO[clip.action].title.lower()}" if clip.action else ""
    alt = f"{role.title()} clip: {clip.source}{did}"
    return ClipTile(role, role.title(), caption, alt, by_quality[shown], poster, by_quality)


def _copy(source: Path, out: Path, name: str) -> str:
    target = out / "assets" / "clips" / name
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return target.relative_to(out).as_posix()


def _poster(clip: Path, out: Path, name: str) -> str:
    """Write the middle frame, where most actions are at their height; its path on the page."""
    target = out / "assets" / "clips" / name
    write_image(target, sample_frames(clip, 1)[1][0])
    return target.relative_to(out).as_posix()
