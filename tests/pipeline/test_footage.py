"""Reading what users have: folders and tables."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.media.image import write_image
from dfmnist.media.video import write_video
from dfmnist.pipeline.footage import Footage, read_drivers, read_people, renumbered, write_csv


def clip(path: Path, frames: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, np.zeros((frames, 16, 16, 3), np.uint8), Fraction(25), crf=40)
    return path


def test_a_folder_of_people(tmp_path: Path) -> None:
    clip(tmp_path / "ann.mp4", 25)
    clip(tmp_path / "bob#abc#000001.mp4", 5)
    clip(tmp_path / "bob#abd#000002.mp4", 5)
    clip(tmp_path / "eve" / "one.mp4", 5)
    write_image(tmp_path / "eve" / "two.png", np.zeros((8, 8, 3), np.uint8))
    by_file = [f.identity for f in read_people(tmp_path, Fraction(2, 5))]
    assert by_file == ["ann", "ann", "bob", "bob", "eve/one", "eve/two"]
    with pytest.raises(InputError, match=r"ann\.mp4: lies in no person's folder"):
        read_people(tmp_path, Fraction(2, 5), "folder")
    for name in ("ann", "bob#abc#000001", "bob#abd#000002"):
        (tmp_path / name.split("#")[0]).mkdir(exist_ok=True)
        (tmp_path / f"{name}.mp4").rename(tmp_path / name.split("#")[0] / f"{name}.mp4")
    found = read_people(tmp_path, Fraction(2, 5), "folder")
    assert [(f.identity, f.take) for f in found] == [
        ("ann", 0),
        ("ann", 1),
        ("bob", 0),
        ("bob", 1),
        ("eve", 0),
        ("eve", 1),
    ]
    assert found[1].start_s == pytest.approx(0.4)
    assert found[-1].is_photo


def test_a_folder_of_drivers(tmp_path: Path) -> None:
    clip(tmp_path / "Surpise" / "v#1.mp4", 3)
    clip(tmp_path / "Surpise" / "v#2.mp4", 3)
    found = read_drivers(tmp_path)
    assert [(f.action, f.identity, f.take) for f in found] == [
        (Action.SURPRISE, "v", 0),
        (Action.SURPRISE, "v", 1),
    ]
    clip(tmp_path / "stray.mp4", 3)
    with pytest.raises(InputError, match=r"stray\.mp4: lies in no action's folder"):
        read_drivers(tmp_path)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no video or picture"):
        read_people(tmp_path, Fraction(2))
    with pytest.raises(InputError, match="no such file or folder"):
        read_people(tmp_path / "none", Fraction(2))


def test_a_table_goes_round(tmp_path: Path) -> None:
    path = clip(tmp_path / "in" / "a.mp4", 3)
    footage = [
        Footage(path, "a", Action.NOD, 0, 0.0, 1.5, "train", 7),
        Footage(path, "a", Action.NOD, 1, 2.0, None, "train", 8),
    ]
    write_csv(tmp_path / "t.csv", footage)
    assert read_drivers(tmp_path / "t.csv") == footage


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\nx\n", "is no table of footage; expected a CSV with columns action, file"),
        ("file,action\n", "has no rows"),
        ("file,action\nz.mp4,nod\n", r"t\.csv:2: no such file z\.mp4"),
        ("file,action\na.mp4,wave\n", r"t\.csv:2: unknown action 'wave'"),
        ("file,action,start,end\na.mp4,nod,2,1\n", "end is not after start"),
        ("file,action,start\na.mp4,nod,x\n", r"t\.csv:2: could not convert"),
        ("file,action,split\na.mp4,nod,dev\n", "split 'dev'"),
        ("file,action,take\na.mp4,nod,1\na.mp4,nod,1\n", "is a second a-nod-1"),
    ],
)
def test_a_bad_table_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    clip(tmp_path / "a.mp4", 3)
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_drivers(tmp_path / "t.csv")


def test_takes_are_numbered_where_the_table_does_not(tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4", 3)
    (tmp_path / "t.csv").write_text("file,action,start\na.mp4,nod,0\na.mp4,nod,1\na.mp4,yaw,2\n")
    assert [f.take for f in read_drivers(tmp_path / "t.csv")] == [0, 1, 0]


def test_reals_with_the_name_of_other_sources_are_renumbered() -> None:
    source = Footage(Path("s/a.mp4"), "a", Action.TALK, 0)
    same, other = source, Footage(Path("r/a.mp4"), "a", Action.TALK, 0)
    assert renumbered([same], beside=[source]) == [same]
    assert [f.take for f in renumbered([other], beside=[source])] == [1]
