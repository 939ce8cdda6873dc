"""Reading what users have: folders and tables."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.media.image import write_image
from dfmnist.media.video import write_video
from dfmnist.pipeline import build
from dfmnist.pipeline.config import BuildConfig
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
        (
            "name\nx\n",
            "has no column 'file'; expected a CSV with the columns file, action, and any",
        ),
        ("file,action\n", "has no rows"),
        ("file,action\nz.mp4,nod\n", r"t\.csv:2: no such file z\.mp4"),
        ("file,action\na.mp4,wave\n", r"t\.csv:2: unknown action 'wave'"),
        ("file,action,start,end\na.mp4,nod,2,1\n", "end is not after start"),
        ("file,action,start\na.mp4,nod,x\n", r"t\.csv:2: could not convert"),
        ("file,action,split\na.mp4,nod,dev\n", "split 'dev'"),
        ("file,action,take\na.mp4,nod,1\na.mp4,nod,1\n", "is a second a-nod-1"),
        ("file,action,persn\na.mp4,nod,x\n", "unknown column 'persn'; expected file, identity"),
        ("file;action\na.mp4;nod\n", "has no column 'file'; expected .* licence, consent"),
        ("file,action,file\na.mp4,nod,a.mp4\n", "has two columns 'file'"),
        ("file,action\na.mp4,nod\na.mp4\n", r"t\.csv:3: has 1 cells; expected 2"),
        ("file,action\na.mp4,nod,x\n", r"t\.csv:2: has 3 cells; expected 2"),
        ("file,action,start\na.mp4,nod,nan\n", r"t\.csv:2: start 'nan' is no time"),
        ("file,action,end\na.mp4,nod,1e999\n", r"t\.csv:2: end '1e999' is no time"),
        ("file,action,start\na.mp4,nod,-1\n", r"t\.csv:2: start '-1' is no time"),
        ("file,action,take\na.mp4,nod,9999999\n", r"t\.csv:2: take '9999999'; expected"),
        ("file,action\n" + "a" * 200_000 + ",nod\n", r"t\.csv:2: cannot be read \(field larger"),
        ("file,action\n" + "a" * 2000 + ",nod\n", r"t\.csv:2: no such file a{200};"),
        ("file,action\na\0.mp4,nod\n", r"t\.csv:2: no such file"),
        ('file,action\n"a.mp4,nod\na.mp4,nod\n', r"t\.csv:\d: cannot be read \(unexpected end"),
        ("file,action\n,nod\n", r"t\.csv:2: no such file"),
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


def test_names_in_a_table_have_no_outer_spaces(tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4", 3)
    text = "\ufeffFile , Identity, split ,consent\na.mp4 ,  ann  lee , train, yes \n,,,\n\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    (only,) = read_people(tmp_path / "t.csv", Fraction(2))
    assert (only.identity, only.split, only.consent) == ("ann  lee", "train", "yes")


def test_a_table_of_more_than_256_mb_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(InputError, match="is larger than 256 MB"):
        read_people(tmp_path / "t.csv", Fraction(2))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_table_in_another_encoding_names_the_line(tmp_path: Path, encoding: str) -> None:
    clip(tmp_path / "a.mp4", 3)
    (tmp_path / "t.csv").write_text("file,identity\na.mp4,Jürg\n", encoding=encoding)
    line = 1 if encoding == "utf-16" else 2
    with pytest.raises(InputError, match=rf"t\.csv:{line}: is not UTF-8 text"):
        read_people(tmp_path / "t.csv", Fraction(2))


def test_people_whose_files_have_equal_names_stay_apart(tmp_path: Path) -> None:
    for name in ("ann/1.mp4", "bob/1.mp4", "ann_1.mp4", "李雷.mp4", "韩梅.mp4"):
        clip(tmp_path / "p" / name, 3)
        clip(tmp_path / "m" / "yaw" / name, 3)
    people, drivers = read_people(tmp_path / "p", Fraction(2)), read_drivers(tmp_path / "m")
    names = ["ann/1", "ann_1", "bob/1", "李雷", "韩梅"]
    for found in (people, drivers):
        assert sorted(f.identity for f in found) == names
        assert len({f.key for f in found}) == 5
    assert {f.identity for f in read_drivers(tmp_path / "m", "folder")} == {
        *("ann", "ann_1", "bob", "李雷", "韩梅")
    }


def test_a_table_without_identities_names_people_as_a_folder_does(tmp_path: Path) -> None:
    for name in ("moves/yaw/ann/1.mp4", "moves/yaw/bob#1.mp4", "moves/nod/bob#2.mp4"):
        clip(tmp_path / name, 3)
    rows = "file,action\nmoves/yaw/ann/1.mp4,yaw\nmoves/yaw/bob#1.mp4,yaw\n"
    (tmp_path / "t.csv").write_text(rows + f"{tmp_path}/moves/nod/bob#2.mp4,nod\n")
    found = read_drivers(tmp_path / "t.csv")
    assert [(f.identity, f.action) for f in found] == [
        ("ann/1", Action.YAW), ("bob", Action.YAW), ("bob", Action.NOD)
    ]  # fmt: skip
    assert {(f.identity, f.action) for f in read_drivers(tmp_path / "moves")} == {
        (f.identity, f.action) for f in found
    }


def test_one_person_in_both_partitions_is_one(tmp_path: Path) -> None:
    for part in ("train", "test"):
        clip(tmp_path / part / "id10282#0hTjT8jjwGE#000001#000101.mp4", 3)
    assert [(f.identity, f.take) for f in read_people(tmp_path, Fraction(2))] == [
        ("id10282", 0),
        ("id10282", 1),
    ]


def test_photos_among_drivers_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip(tmp_path / "yaw" / "ann.mp4", 3)
    write_image(tmp_path / "yaw" / "bob.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "t.csv").write_text("file\nyaw/ann.mp4\n")
    assert [f.identity for f in read_drivers(tmp_path)] == ["ann"]
    build_files = (tmp_path / "t.csv", tmp_path, BuildConfig(), tmp_path / "out")
    with pytest.raises(InputError, match="has no licence"):
        build.build_files(*build_files)
    said = capsys.readouterr().err
    assert "drivers: 2 entries left out (neither photo nor video: t.csv; photos: yaw/b" in said
