"""Public datasets as they lie on disk, and the mistakes that others make when reading them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
from tests.dataset.trees import grow
from tests.running import called, refused, refused_at_last

from dfmnist.core.actions import Action
from dfmnist.core.choices import DatasetKind
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.kinds import KINDS, LAYOUTS, OTHERS
from dfmnist.dataset.manifest import Manifest, read_manifest
from dfmnist.dataset.splits import shared_people

FF = ("raw", "c23", "c40")
FF_LISTS = {"train": [["071", "054"], ["087", "081"]], "val": [["720", "672"]],
            "test": [["953", "974"]]}  # fmt: skip
CELEB_TEST = ["1 YouTube-real/00170.mp4", "1 Celeb-real/id1_0000.mp4",
              "0 Celeb-synthesis/id1_id0_0000.mp4"]  # fmt: skip


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def mnist_plus(root: Path) -> None:
    """The same numbers in every folder of an action, as released."""
    actions = ("blink", "embarrass", "left_slope", "mouth", "nod", "right_slope", "smile",
               "surpise", "up", "yaw")  # fmt: skip
    grow(root, *(f"fake_dataset/{a}/{i}.mp4" for a in actions for i in range(4)))
    code = "Kpl0xY_uVmE#000012#000345"
    for folder, people in (("train", "ab"), ("val", "c"), ("test", "d")):
        grow(root, *(f"real_dataset/selected_{folder}/{p}#{code}.mp4" for p in people))


def voxceleb(root: Path) -> None:
    rows = ["video_id,start,end,bbox(l-t-r-b),fps,width,height,partition,person_id"]
    for person, partition in (
        ("id10001", "train"), ("id10002", "train"), ("id10282", "train"), ("id10282", "test"),
    ):  # fmt: skip
        rows.append(f"Kpl0xY_uVmE,12,345,1-2-3-4,25,256,256,{partition},{person}")
        grow(root, f"{partition}/{person}#Kpl0xY_uVmE#000012#000345.mp4")
    write(root, "vox-metadata.csv", "\n".join(rows))


def adfes(root: Path) -> None:
    emotions = ("Joy", "Embarrass", "Embarrassment", "Surprise", "Anger")
    models = ("F01", "F02", "M01", "M02")
    grow(root, *(f"{who}-{what}-Face Forward.mpg" for who in models for what in emotions))


def faceforensics(root: Path) -> None:
    for name, pairs in FF_LISTS.items():
        write(root, f"splits/{name}.json", json.dumps(pairs))
    for a, b in (pair for pairs in FF_LISTS.values() for pair in pairs):
        for q in ("c23", "c40"):
            grow(root, *(f"original_sequences/youtube/{q}/videos/{x}.mp4" for x in (a, b)))
            for method in ("Deepfakes", "Face2Face"):
                folder = f"manipulated_sequences/{method}/{q}/videos"
                grow(root, f"{folder}/{a}_{b}.mp4", f"{folder}/{b}_{a}.mp4")
    grow(root, "manipulated_sequences/Deepfakes/masks/videos/071_054.mp4")
    scene = "outside_talking_still_laughing"
    for a in range(1, 7):
        grow(root, f"original_sequences/actors/c23/videos/{a:02}__{scene}.mp4",
             f"manipulated_sequences/DeepFakeDetection/c23/videos/"
             f"{a:02}_{a % 2 + 1 + (a - 1) // 2 * 2:02}__{scene}__YVGY8LOK.mp4")  # fmt: skip


def celeb_df(root: Path) -> None:
    grow(root, *(f"Celeb-real/id{i}_000{n}.mp4" for i in range(8) for n in range(2)))
    grow(root, *(f"YouTube-real/{i:05}.mp4" for i in (0, 1, 170)))
    grow(root, *(f"Celeb-synthesis/id{a}_id{b}_0000.mp4"
                 for a in range(8) for b in range(8) if a != b and a // 2 == b // 2))  # fmt: skip
    write(root, "List_of_testing_videos.txt", "\n".join(CELEB_TEST) + "\n")


def dfdc(root: Path) -> None:
    for part in range(2):
        facts = {}
        for i in range(3):
            real, fake = f"r{part}{i}.mp4", f"f{part}{i}.mp4"
            facts[real] = {"label": "REAL", "split": "train"}
            facts[fake] = {"label": "FAKE", "split": "train", "original": real}
        folder = f"dfdc_train_part_{part}"
        grow(root, *(f"{folder}/{name}" for name in facts))
        write(root, f"{folder}/metadata.json", json.dumps(facts))
    grow(root, "test/videos/tr.mp4", "test/videos/tf.mp4")
    write(root, "test/labels.csv", "filename,label\ntr.mp4,0\ntf.mp4,1\n")


def deeperforensics(root: Path) -> None:
    for split, ids in (("train", ("000", "001")), ("val", ("002",)), ("test", ("003",))):
        names = [f"{i}_{'MW'[int(i) % 2]}00{int(i) // 2}.mp4" for i in ids]
        write(root, f"lists/splits/{split}.txt", "\n".join(names))
        grow(root, *(f"manipulated_videos/end_to_end/{name}" for name in names))
        grow(root, *(f"original_sequences/youtube/c23/videos/{i}.mp4" for i in ids))
    grow(root, "original_sequences/youtube/c23/videos/999.mp4")


def uadfv(root: Path) -> None:
    grow(
        root, *(f"real/{i:04}.mp4" for i in range(8)), *(f"fake/{i:04}_fake.mp4" for i in range(8))
    )


def forgerynet(root: Path) -> None:
    for folder, count in (("Training", 8), ("Validation", 4)):
        lines = []
        for i in range(count):
            name, fake = f"part{i % 2}/{folder[0]}{i}.mp4", i % 2
            grow(root, f"{folder}/video/{name}")
            lines.append(
                f"2 {name} 0 30 real 30 20 {'fake' if fake else 'real'} {fake} {fake} {3 * fake}"
            )
        write(root, f"{folder}/video_list.txt", "\n".join(lines))


def df40(root: Path) -> None:
    for name, pairs in FF_LISTS.items():
        write(root, f"{name}.json", json.dumps(pairs))
    pairs = [pair for pairs in FF_LISTS.values() for pair in pairs]
    grow(root, *(f"{m}/ff/{a}_{b}.mp4" for m in ("fomm", "simswap") for a, b in pairs),
         *(f"{m}/cdf/videos/id0_id16_000{i}.mp4" for m in ("fomm", "FS_vid2vid") for i in range(2)),
         "StyleGAN2/ff/000.mp4")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A fixture and what its import must give."""

    make: Callable[[Path], None]
    real: int
    fake: int
    splits: dict[str, int]
    """Files in each split."""
    options: tuple[str, ...] = ()


CASES = {
    "deepfake-mnist-plus": Case(mnist_plus, 4, 40, {"train": 32, "validation": 6, "test": 6}),
    "voxceleb1": Case(voxceleb, 4, 0, {"train": 2, "validation": 1, "test": 1}),
    "adfes": Case(adfes, 20, 0, {"train": 10, "validation": 5, "test": 5}),
    "faceforensics": Case(faceforensics, 22, 38, {"train": 28, "validation": 16, "test": 16}),
    "celeb-df-v1": Case(celeb_df, 19, 8, {"train": 20, "validation": 4, "test": 3}),
    "celeb-df-v2": Case(celeb_df, 19, 8, {"train": 20, "validation": 4, "test": 3}),
    "dfdc": Case(dfdc, 7, 7, {"train": 10, "validation": 2, "test": 2}),
    "deeperforensics": Case(deeperforensics, 4, 4, {"train": 4, "validation": 2, "test": 2}),
    "uadfv": Case(uadfv, 8, 8, {"train": 12, "validation": 2, "test": 2}),
    "forgerynet": Case(forgerynet, 6, 6, {"train": 6, "validation": 2, "test": 4}),
    "df40": Case(df40, 0, 12, {"train": 4, "validation": 2, "test": 6}, ("--allow-missing",)),
}


def imported(kind: str, root: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Manifest:
    out = root.parent / "set"
    code, _, err = called(capsys, "dataset", "import", kind, root, "--out", out, *more)
    assert code == 0, err
    return read_manifest(out)


def tree(kind: str, tmp_path: Path) -> Path:
    root = tmp_path / "files"
    CASES[kind].make(root)
    return root


def test_every_kind_is_a_layout_and_tested() -> None:
    assert get_args(DatasetKind) == KINDS == ("folder", *CASES)


@pytest.mark.parametrize("kind", CASES)
def test_counts_and_splits(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, root = CASES[kind], tree(kind, tmp_path)
    found = imported(kind, root, capsys, *case.options)
    labels = [clip.label for clip in found.clips]
    assert (labels.count("real"), labels.count("fake")) == (case.real, case.fake)
    splits = [clip.split for clip in found.clips]
    assert {split: splits.count(split) for split in case.splits} == case.splits
    assert len(splits) == sum(case.splits.values())
    assert all(found.path(clip).is_file() for clip in found.clips)
    assert len({(c.clip_id, c.quality) for c in found.clips}) == len(found.clips)
    assert found.info.kind == kind
    assert not list(found.root.rglob("*.mp4"))
    assert all(bool(clip.method) == (clip.label == "fake") for clip in found.clips)


def test_a_wrong_kind_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, case in CASES.items():
        root = tmp_path / kind
        case.make(root)
        likely = [layout.kind for layout in OTHERS if layout.looks_like(root)]
        assert kind in likely
        assert set(likely) <= {kind, "celeb-df-v1", "celeb-df-v2"}
    wrong = ["dataset", "import", "dfdc", tmp_path / "faceforensics", "--out", tmp_path / "x"]
    assert "is not DFDC: this looks like FaceForensics++" in refused(capsys, *wrong)
    wrong[2:4] = ["uadfv", tmp_path / "celeb-df-v2"]
    assert "is not UADFV: this looks like Celeb-DF v" in refused(capsys, *wrong)
    many = "\n".join(f"1 YouTube-real/{i:05}.mp4" for i in range(101))
    write(tmp_path / "celeb-df-v2", "List_of_testing_videos.txt", many)
    wrong[2] = "celeb-df-v1"
    assert "this looks like Celeb-DF v2" in refused(capsys, *wrong)
    (tmp_path / "plain").mkdir()
    grow(tmp_path / "plain", "some.mp4")
    wrong[2:4] = ["adfes", tmp_path / "plain"]
    assert "is not ADFES; expected files such as 'F01-Joy" in refused(capsys, *wrong)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("faceforensics", "manipulated_sequences/Deepfakes/c23/videos/071_054.mp4"),
        ("celeb-df-v2", "Celeb-synthesis/id1_id0_0000.mp4"),
        ("voxceleb1", "train/id10001#Kpl0xY_uVmE#000012#000345.mp4"),
        ("dfdc", "dfdc_train_part_1/f11.mp4"),
        ("deeperforensics", "manipulated_videos/end_to_end/000_M000.mp4"),
        ("forgerynet", "Training/video/part0/T0.mp4"),
    ],
)
def test_a_listed_file_that_is_not_there(
    kind: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(kind, tmp_path)
    (root / name).unlink()
    way = ["dataset", "import", kind, root, "--out", tmp_path / "out"]
    code, _, err = called(capsys, *way)
    assert code == 2
    assert f"  {name}: missing" in err
    assert "1 file is missing, unreadable or unknown" in err
    assert called(capsys, *way, "--allow-missing")[0] == 0
    names = {clip.file_name for clip in read_manifest(tmp_path / "out").clips}
    assert name not in names


# Mistakes of others


def test_celeb_df_trains_on_no_listed_video(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even on that of the first line, which a header would swallow."""
    found = imported("celeb-df-v2", tree("celeb-df-v2", tmp_path), capsys)
    tested = {clip.file_name for clip in found.clips if clip.split == "test"}
    assert tested == {line.split()[1] for line in CELEB_TEST}
    learnt = [clip for clip in found.clips if clip.split != "test"]
    assert shared_people(learnt) == []


def test_celeb_df_reals_of_both_folders_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree("celeb-df-v2", tmp_path)
    grow(root, "Celeb-real/id9_0000.mp4")
    found = imported("celeb-df-v2", root, capsys)
    reals = [clip for clip in found.clips if clip.label == "real"]
    assert len({clip.clip_id for clip in reals}) == len(reals) == 20
    write(root, "List_of_testing_videos.txt", "0 YouTube-real/00170.mp4")
    said = refused(capsys, "dataset", "import", "celeb-df-v2", root, "--out", tmp_path / "x")
    assert "List_of_testing_videos.txt:1: YouTube-real/00170.mp4 has label 0, where 1 means" in said


@pytest.mark.parametrize("kind", ["uadfv", "deeperforensics"])
def test_a_real_video_is_in_one_split_with_its_fake(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(kind, tmp_path)
    for seed in range(3):
        found = imported(kind, root, capsys, "--seed", str(seed))
        place: dict[str, set[str]] = {}
        for clip in found.clips:
            name = Path(clip.file_name).stem  # it begins with the number of the real video
            place.setdefault(name.split("_")[0], set()).add(clip.split)
        assert {len(splits) for splits in place.values()} == {1}
        reals = [clip.source for clip in found.clips if clip.label == "real"]
        assert len(set(reals)) == len(reals) == len(place)


def test_numbers_of_different_actions_are_different_clips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = imported("deepfake-mnist-plus", tree("deepfake-mnist-plus", tmp_path), capsys)
    fakes = [clip for clip in found.clips if clip.label == "fake"]
    assert len({clip.clip_id for clip in fakes}) == 40
    assert {clip.action for clip in fakes} == set(Action) - {Action.TALK}
    assert any("Fakes" in note or "fakes" in note for note in found.info.notes)
    reals = {clip.source: clip.split for clip in found.clips if clip.label == "real"}
    assert reals == {"a": "train", "b": "train", "c": "validation", "d": "test"}


def test_voxceleb_says_who_is_in_both_partitions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = imported("voxceleb1", tree("voxceleb1", tmp_path), capsys)
    assert shared_people(found.clips) == ["id10282"]
    assert any("1 person is in two splits or more, such as id10282" in n for n in found.info.notes)
    assert {clip.action for clip in found.clips} == {Action.TALK}


def test_adfes_emotions_are_matched_by_their_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = imported("adfes", tree("adfes", tmp_path), capsys).clips
    actions = {clip.extra["emotion"]: clip.action for clip in clips}
    assert actions == {
        "joy": Action.SMILE, "embarrass": Action.EMBARRASSMENT, "surprise": Action.SURPRISE,
        "embarrassment": Action.EMBARRASSMENT, "anger": None,
    }  # fmt: skip


def test_faceforensics_pairs_give_both_directions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree("faceforensics", tmp_path)
    found = imported("faceforensics", root, capsys)
    of: dict[str, Clip] = {c.file_name: c for c in found.clips}
    clip = of["manipulated_sequences/Face2Face/c23/videos/974_953.mp4"]
    assert (clip.split, clip.identities, clip.driver) == ("test", ("ff-974", "ff-953"), "ff-953")
    swap = of["manipulated_sequences/Deepfakes/c40/videos/974_953.mp4"]
    assert (swap.quality, swap.identities, swap.driver) == ("c40", ("ff-974", "ff-953"), "")
    assert {c.quality for c in found.clips if c.clip_id == swap.clip_id} == {"c23", "c40"}
    assert not shared_people(found.clips)
    actors = {c.source for c in found.clips if c.source.startswith("actor-")}
    assert len(actors) == 6
    (root / "splits/val.json").unlink()
    said = refused(capsys, "dataset", "import", "faceforensics", root, "--out", tmp_path / "x")
    assert "val.json: no such file; expected the official lists train.json, val.json" in said
    write(root, "splits/val.json", '{"a": 1}')
    said = refused(capsys, "dataset", "import", "faceforensics", root, "--out", tmp_path / "x")
    assert "expected pairs of videos" in said


def test_dfdc_fakes_are_with_their_originals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree("dfdc", tmp_path)
    found = imported("dfdc", root, capsys)
    place = {clip.clip_id: clip.split for clip in found.clips}
    assert all(place[f"r{p}{i}"] == place[f"f{p}{i}"] for p in range(2) for i in range(3))
    write(root, "dfdc_train_part_0/metadata.json", '{"r00.mp4": {"label": "MAYBE"}}')
    said = refused(capsys, "dataset", "import", "dfdc", root, "--out", tmp_path / "x")
    assert "metadata.json: r00.mp4 has the label 'MAYBE'; expected REAL or FAKE" in said


def test_df40_knows_swaps_from_reenactments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree("df40", tmp_path)
    code, _, err = called(capsys, "dataset", "import", "df40", root, "--out", tmp_path / "x")
    assert code == 2
    assert "StyleGAN2/ff/000.mp4: not part of DF40" in err
    found = imported("df40", root, capsys, "--allow-missing")
    of = {clip.file_name: clip for clip in found.clips}
    fomm, swap = of["fomm/ff/953_974.mp4"], of["simswap/ff/953_974.mp4"]
    assert (fomm.split, fomm.driver, swap.driver) == ("test", "ff-974", "")
    assert fomm.identities == swap.identities == ("ff-953", "ff-974")
    celeb = of["FS_vid2vid/cdf/videos/id0_id16_0001.mp4"]
    assert (celeb.method, celeb.identities, celeb.split) == (
        "facevid2vid", ("id0", "id16"), "test",
    )  # fmt: skip


def test_forgerynet_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree("forgerynet", tmp_path)
    found = imported("forgerynet", root, capsys)
    fake = next(clip for clip in found.clips if clip.file_name.endswith("T1.mp4"))
    assert (fake.label, fake.method) == ("fake", "forgerynet-3")
    assert fake.extra == {"segments": ["0 30 real", "30 20 fake"]}
    for line in (
        "2 a.mp4 0 30 real 1 1 3",
        "x a.mp4 1 1 3",
        "0 ../../a.mp4 1 1 3",
        "0 a.mp4 2 1 3",
    ):
        write(root, "Training/video_list.txt", line)
        way = ["dataset", "import", "forgerynet", root, "--out", tmp_path / "x"]
        assert "Training/video_list.txt:1: " in refused_at_last(capsys, *way)


def test_a_deeperforensics_list_with_one_video_in_two_splits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree("deeperforensics", tmp_path)
    write(root, "lists/splits/test.txt", "003_W001.mp4\n000_M009.mp4")  # M009 is nowhere else
    said = refused(capsys, "dataset", "import", "deeperforensics", root, "--out", tmp_path / "x")
    assert "test.txt:2: 000_M009 is listed twice, or its real video in two splits" in said


def test_other_splits_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree("uadfv", tmp_path)
    way = ["dataset", "import", "uadfv", root, "--out", tmp_path / "x", "--splits"]
    assert "UADFV has no official splits" in refused_at_last(capsys, *way, "official")
    assert called(capsys, *way, "paper")[0] == 0
    found = read_manifest(tmp_path / "x")
    assert shared_people(found.clips)
    assert found.info.splits is not None
    assert found.info.splits.rule == "paper"
    assert "--identity folder: uadfv names its people" in refused(
        capsys, *way, "paper", "--identity", "folder"
    )


def test_layouts_are_listed_by_their_names() -> None:
    assert all(layout.kind == kind and layout.title for kind, layout in LAYOUTS.items())
