"""Identities, check of clips, and draws of training pairs, on tiny clips made here."""

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.fomm.training.clips import (
    Pairs,
    People,
    batches,
    find_clips,
    load_people,
    summary,
    to_size,
    training_folder,
)
from dfmnist.media.video import write_video

LEVEL = 20
"""Difference of grey level between frames."""


def film(path: Path, frames: int = 6, size: int = 32, start: int = 20) -> Path:
    """Frame i has the grey level start + i · LEVEL on the left, darker on the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = np.zeros((frames, size, size, 3), np.uint8)
    for i, picture in enumerate(pictures):
        picture[:, : size // 2] = min(255, start + i * LEVEL)
    write_video(path, pictures, Fraction(25), crf=1)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people; the first has three clips."""
    where = tmp_path_factory.mktemp("clips")
    for name in ("id1#a#0#6", "id1#b#0#6", "id1#b#6#12", "id2#c#0#6", "id3"):
        film(where / f"{name}.mp4")
    return where


@pytest.fixture(scope="module")
def people(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> People:
    return load_people(folder, tmp_path_factory.mktemp("out") / "clips.json")


def pairs(people: People, **changes: object) -> Pairs:
    values: dict[str, object] = {"repeats": 4, "size": 32, "jitter": 0.0, "seed": 3, "epoch": 0}
    return Pairs(people, **(values | changes))  # type: ignore[arg-type]


def level(image: torch.Tensor) -> int:
    """Index of the frame that a picture shows, from its brighter half."""
    half = max(image[..., 2:14].mean().item(), image[..., 18:30].mean().item())
    return round((half * 255 - 20) / LEVEL)


def test_identity_is_before_the_first_mark(folder: Path) -> None:
    found = find_clips(folder)
    assert [(p.stem, who) for p, who in found] == [
        ("id1#a#0#6", "id1"), ("id1#b#0#6", "id1"), ("id1#b#6#12", "id1"),
        ("id2#c#0#6", "id2"), ("id3", "id3"),
    ]  # fmt: skip


def test_identity_is_the_subfolder(tmp_path: Path) -> None:
    film(tmp_path / "ann" / "1.mp4")
    film(tmp_path / "bob" / "x" / "1.mp4")
    assert [who for _, who in find_clips(tmp_path, "folder")] == ["ann", "bob"]
    film(tmp_path / "loose.mp4")
    with pytest.raises(InputError, match=r"loose\.mp4: lies in no person's folder"):
        find_clips(tmp_path, "folder")
    with pytest.raises(InputError, match="--person face"):
        find_clips(tmp_path, "face")


def test_train_subfolder_is_taken_where_there_is_one(tmp_path: Path) -> None:
    assert training_folder(tmp_path) == tmp_path
    (tmp_path / "train").mkdir()
    assert training_folder(tmp_path) == tmp_path / "train"
    with pytest.raises(InputError, match="holds no video"):
        find_clips(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_clips(tmp_path / "nowhere")


def test_one_clip_of_each_person_a_draw(people: People) -> None:
    drawn = [pairs(people, repeats=40).draw(i) for i in range(120)]
    who = Counter(d.clip.identity for d in drawn)
    assert who == {"id1": 40, "id2": 40, "id3": 40}  # not by how many clips they have
    clips = Counter(d.clip.path.stem for d in drawn if d.clip.identity == "id1")
    assert len(clips) == 3
    assert min(clips.values()) > 4


def test_frames_are_in_time_order_or_flipped_or_mirrored(people: People) -> None:
    drawn = [pairs(people, repeats=200).draw(i) for i in range(600)]
    flipped = [d.frames[0] > d.frames[1] for d in drawn]
    assert all(d.frames[0] != d.frames[1] and max(d.frames) < 6 for d in drawn)
    assert np.mean(flipped) == pytest.approx(0.5, abs=0.08)
    mirrored = [d.mirrored for d in drawn]
    assert np.mean(mirrored) == pytest.approx(0.25, abs=0.06)
    assert not any(a and b for a, b in zip(flipped, mirrored, strict=True))
    assert {d.frames for d in drawn} == {(a, b) for a in range(6) for b in range(6) if a != b}


def test_draws_depend_on_seed_epoch_and_index_alone(people: People) -> None:
    one = [pairs(people, jitter=0.1)[i] for i in range(12)]
    again = pairs(people, jitter=0.1)
    for i in reversed(range(12)):
        assert all(torch.equal(a, b) for a, b in zip(one[i], again[i], strict=True))
    for other in (pairs(people, epoch=1), pairs(people, seed=4)):
        assert [other.draw(i) for i in range(12)] != [again.draw(i) for i in range(12)]


def test_pictures_are_the_frames_drawn(people: People) -> None:
    own = pairs(people)
    for i in range(len(own)):
        drawn, pair = own.draw(i), own[i]
        assert (level(pair.source), level(pair.driving)) == drawn.frames
        for image in pair:
            assert image.shape == (3, 32, 32)
            left, right = image[..., :12].mean(), image[..., 20:].mean()
            assert bool(left < right) is drawn.mirrored


def test_both_frames_change_colours_alike(people: People) -> None:
    plain, jittered = pairs(people), pairs(people, jitter=0.1)
    for i in range(6):
        assert plain.draw(i) == jittered.draw(i)
        ratios = [(j.mean() / p.mean()).item() for p, j in zip(plain[i], jittered[i], strict=True)]
        assert ratios[0] != pytest.approx(1.0, abs=1e-3)
    # grey frames: one brightness and one contrast about a shared mean, so one line for both
    before, after = (torch.stack(list(p[0])).mean(dim=(1, 2)) for p in (plain, jittered))
    slope = (after[0].max() - after[1].max()) / (before[0].max() - before[1].max())
    assert 0.8 < slope < 1.2


def test_frames_of_another_size_are_resized(tmp_path: Path) -> None:
    film(tmp_path / "big.mp4", size=48)
    big = load_people(tmp_path, tmp_path / "clips.json")
    assert pairs(big)[0].source.shape == (3, 32, 32)
    wide = np.zeros((10, 20, 3), np.uint8)
    wide[:, 10:] = 200
    assert to_size(wide, 8).shape == (8, 8, 3)
    assert to_size(wide, 8)[0, -1, 0] == 200


def test_processes_share_each_step() -> None:
    whole = batches(22, 6)
    assert whole == [list(range(s, s + 6)) for s in (0, 6, 12)]  # four draws are left over
    first, second = batches(22, 6, 0, 2), batches(22, 6, 1, 2)
    for step, a, b in zip(whole, first, second, strict=True):
        assert len(a) == len(b) == 3
        assert sorted(a + b) == step


def broken(folder: Path) -> None:
    film(folder / "a#1.mp4")
    film(folder / "b#1.mp4", frames=40)
    cut = folder / "b#1.mp4"
    cut.write_bytes(cut.read_bytes()[:-300])
    film(folder / "c#still.mp4", frames=1)
    (folder / "d#text.mp4").write_text("no video")


def test_broken_clips_are_refused_in_one_line_or_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(tmp_path / "clips")
    record = tmp_path / "clips.json"
    with pytest.raises(InputError, match="3 of 4 clips cannot be used") as error:
        load_people(tmp_path / "clips", record)
    text = str(error.value)
    assert "\n" not in text
    for part in ("b#1.mp4", "c#still.mp4 holds one frame", "d#text.mp4", "--skip-broken"):
        assert part in text
    kept = load_people(tmp_path / "clips", record, skip_broken=True)
    assert [[c.path.name for c in clips] for clips in kept] == [["a#1.mp4"]]
    assert "holds one frame" in read_json(record)["c#still.mp4"]["problem"]
    capsys.readouterr()


def test_clips_are_looked_at_once_and_again_when_they_change(tmp_path: Path) -> None:
    path = film(tmp_path / "clips" / "a.mp4")
    record = tmp_path / "clips.json"
    first = load_people(path.parent, record)
    stamp = record.stat().st_mtime_ns
    assert load_people(path.parent, record) == first
    assert record.stat().st_mtime_ns == stamp  # nothing was checked again
    film(path, frames=9)
    assert load_people(path.parent, record)[0][0].num_frames == 9


def test_summary_tells_other_clips_apart(people: People, folder: Path) -> None:
    about = summary(people, folder)
    assert (about["people"], about["clips"], about["frames"]) == (3, 5, 30)
    assert summary(people[:2], folder)["hash"] != about["hash"]


def test_nothing_whole_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_text("no")
    with pytest.raises(InputError, match="holds no complete clip"):
        load_people(tmp_path, tmp_path / "c.json", skip_broken=True)
