import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.dataset import manifest as m
from dfmnist.dataset.clip import OPEN_OF_BUILT
from dfmnist.dataset.headers import ClipHeader, header_of
from dfmnist.dataset.info import DatasetInfo, write_info
from dfmnist.dataset.provenance import LENGTH, provenance, read_provenance
from dfmnist.media.video import write_video
from dfmnist.stats.intervals import Rate


def test_round_trip(tmp_path: Path, record) -> None:
    clips = [
        record(),
        record(file_name="clips/c40/a.mp4", quality="c40", sha256="1" * 64),
        record(file_name="clips/raw/b.mp4", clip_id="b", label="real", fps="30000/1001"),
    ]
    m.write_manifest(tmp_path, clips)
    for path in (tmp_path, tmp_path / "metadata.jsonl"):
        found = m.read_manifest(path)
        assert found.root == tmp_path
        assert found.clips == tuple(sorted(clips, key=lambda c: c.file_name))
    first = json.loads((tmp_path / "metadata.jsonl").read_text().splitlines()[0])
    assert next(iter(first)) == "file_name"
    assert first["schema_version"] == 2
    assert m.Manifest(tmp_path, found.clips).clips[2].fps == "30000/1001"


def test_same_clips_same_bytes(tmp_path: Path, record) -> None:
    clips = [record(file_name=f"clips/raw/{i}.mp4", clip_id=str(i)) for i in range(5)]
    m.write_manifest(tmp_path / "a", clips)
    m.write_manifest(tmp_path / "b", reversed(clips))
    assert m.manifest_hash(tmp_path / "a") == m.manifest_hash(tmp_path / "b")
    m.write_manifest(tmp_path / "b", clips[1:])
    assert m.manifest_hash(tmp_path / "a") != m.manifest_hash(tmp_path / "b")


def test_hash_covers_the_rejected(tmp_path: Path, record, rejection) -> None:
    m.write_manifest(tmp_path, [record()])
    before = m.manifest_hash(tmp_path)
    m.write_rejected(tmp_path, [rejection()])
    assert m.manifest_hash(tmp_path) != before


BAD = {
    "../a.mp4": ("file_name", "../a.mp4"),
    "absolute": ("file_name", "/etc/a.mp4"),
    "inner dots": ("file_name", "clips/../../a.mp4"),
    "backslash": ("file_name", "..\\a.mp4"),
    "drive": ("file_name", "C:/a.mp4"),
    "zero byte": ("file_name", "clips/raw/a\0.mp4"),
    "a name too long for a file": ("file_name", f"clips/{'c' * 256}"),
    "a path too long for a file": ("file_name", "clips/" * 200 + "a.mp4"),
    "label": ("label", "maybe"),
    "action": ("action", "dance"),
    "quality": ("quality", "c99"),
    "split": ("split", "dev"),
    "fps": ("fps", "29.97"),
    "fps not lowest": ("fps", "50/2"),
    "fps zero": ("fps", "0"),
    "fps of many digits": ("fps", "1e999999999"),
    "fps over zero": ("fps", "25/0"),
    "frames without end": ("num_frames", 10**30),
    "a side without end": ("width", 10**12),
    "frames": ("num_frames", 0),
    "hash": ("sha256", "abc"),
    "licence": ("licence", " "),
    "consent": ("consent", ""),
    "schema": ("schema_version", 3),
    "unknown": ("colour", "red"),
}


@pytest.mark.parametrize(("field", "value"), BAD.values(), ids=BAD.keys())
def test_a_wrong_line_is_named(tmp_path: Path, record, field: str, value: object) -> None:
    good = json.loads(record().model_dump_json())
    other = {**good, "file_name": "clips/raw/b.mp4", "clip_id": "b", field: value}
    (tmp_path / "metadata.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps(other)}\n")
    with pytest.raises(InputError, match=rf"metadata\.jsonl:2: {field}: ") as caught:
        m.read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", sorted(set(m.Clip.model_fields) - OPEN_OF_BUILT))
def test_a_built_clip_states_every_field(tmp_path: Path, record, field: str) -> None:
    line = json.loads(record().model_dump_json())
    del line[field]
    (tmp_path / "metadata.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=rf":1: {field}: Field required"):
        m.read_manifest(tmp_path)


def test_all_problems_of_a_record_are_one_message(tmp_path: Path, record) -> None:
    line = json.loads(record().model_dump_json()) | {"split": "dev", "width": 0, "seed": "x"}
    for name in ("licence", "consent", "label"):
        del line[name]
    (tmp_path / "metadata.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError) as caught:
        m.read_manifest(tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/metadata.jsonl:1: label: Field required")
    for name in ("split", "width", "seed", "licence", "consent"):
        assert said.count(f"{name}: ") == 1, name
    assert said.endswith("expected a record of schema 2")


MINIMAL = {"file_name": "real/b.avi", "label": "real", "split": "test", "identities": ["ann"]}


def lines(folder: Path, *records: dict) -> Path:
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in records))
    return folder


def test_four_fields_are_a_record(tmp_path: Path) -> None:
    (clip,) = m.read_manifest(lines(tmp_path, MINIMAL)).clips
    assert (clip.clip_id, clip.source, clip.quality, clip.origin) == (
        "real/b", "ann", "original", "imported",
    )  # fmt: skip
    assert (clip.action, clip.action_name, clip.num_frames, clip.fps) == (None, "", None, None)
    for name in MINIMAL:
        with pytest.raises(InputError, match=rf":1: {name}: Field required"):
            m.read_manifest(lines(tmp_path, {k: v for k, v in MINIMAL.items() if k != name}))


def test_a_face_swap_has_two_people_and_any_method_and_quality(tmp_path: Path) -> None:
    swap = MINIMAL | {
        "file_name": "fake/a_b.mp4", "label": "fake", "identities": ["a", "b"], "split": "train",
        "method": "deepfakes", "quality": "c23", "driver": "b", "source": "a",
    }  # fmt: skip
    clips = m.read_manifest(lines(tmp_path, MINIMAL, swap)).clips
    assert (clips[1].identities, clips[1].method) == (("a", "b"), "deepfakes")
    m.write_manifest(tmp_path / "again", clips)
    again = m.read_manifest(tmp_path / "again").clips
    assert again == tuple(sorted(clips, key=lambda c: c.file_name))
    written = json.loads((tmp_path / "again/metadata.jsonl").read_text().splitlines()[1])
    assert set(written) == {
        *MINIMAL,
        "clip_id",
        "source",
        "origin",
        "schema_version",
    }  # what says nothing is not written
    for name, value, said in (
        ("driver", "c", "identities: lacks the driver c"),
        ("source", "c", "identities: lacks the source c"),
        ("identities", ["a", "a"], "identities: names a person twice"),
        ("identities", [], "identities: "),
        ("method", "Deep Fakes", "method: "),
        ("quality", "C 23", "quality: "),
        ("action", "dance", "action: "),
    ):
        with pytest.raises(InputError, match=f":1: {said}"):
            m.read_manifest(lines(tmp_path, swap | {name: value}))
    with pytest.raises(InputError, match="a real clip has no driver"):
        m.read_manifest(lines(tmp_path, MINIMAL | {"method": "deepfakes"}))


def test_unknown_columns_of_an_imported_record_are_kept(tmp_path: Path) -> None:
    more = {"colour": "red", "scores": [1, {"a": None}]}
    (clip,) = m.read_manifest(lines(tmp_path, MINIMAL | more | {"extra": {"old": 1}})).clips
    assert clip.extra == {"old": 1, **more}
    m.write_manifest(tmp_path / "again", [clip])
    assert m.read_manifest(tmp_path / "again").clips == (clip,)


SCHEMA_1 = {
    "file_name": "clips/raw/a.mp4", "clip_id": "a", "label": "fake", "action": "yaw",
    "quality": "raw", "split": "train", "source_id": "ann", "source_frame": 3,
    "driver_id": "bob", "take": 0, "generator": "fomm-actors@01234567", "seed": 7,
    "screening": [{"detector": "action", "live": True, "score": 0.5, "reason": ""}], "fps": "25",
    "num_frames": 50, "width": 256, "height": 256, "sha256": "0" * 64, "licence": "x",
    "consent": "y", "schema_version": 1,
}  # fmt: skip


def test_schema_1_is_read(tmp_path: Path) -> None:
    real = SCHEMA_1 | {
        "file_name": "clips/raw/b.mp4", "clip_id": "b", "label": "real", "driver_id": "",
        "generator": "", "source_frame": None,
    }  # fmt: skip
    warp = SCHEMA_1 | {
        "file_name": "clips/raw/c.mp4", "clip_id": "c", "generator": "mesh_warp@1",
    }  # fmt: skip
    swap = warp | {"file_name": "d.mp4", "clip_id": "d", "generator": "face_swap@1"}
    clips = m.read_manifest(lines(tmp_path, SCHEMA_1, real, warp, swap)).clips
    assert [c.method for c in clips] == ["fomm", "", "mesh-warp", "faceswap"]
    assert [c.identities for c in clips] == [("ann", "bob"), ("ann",), *[("ann", "bob")] * 2]
    assert {(c.origin, c.schema_version) for c in clips} == {("built", 2)}
    assert (clips[0].source, clips[0].driver, clips[0].screening[0].live) == ("ann", "bob", True)
    for name in ("source_id", "driver_id", "licence"):
        without = {k: v for k, v in SCHEMA_1.items() if k != name}
        with pytest.raises(InputError, match=rf":1: {name}: Field required.* of schema 1"):
            m.read_manifest(lines(tmp_path, without))
    with pytest.raises(InputError, match=":1: colour: Extra inputs"):
        m.read_manifest(lines(tmp_path, SCHEMA_1 | {"colour": "red"}))


def test_rejected_of_schema_1_are_read(tmp_path: Path, rejection) -> None:
    values = json.loads(rejection().model_dump_json()) | {"schema_version": 1}
    old = {{"source": "source_id", "driver": "driver_id"}.get(k, k): v for k, v in values.items()}
    (tmp_path / "rejected.jsonl").write_text(json.dumps(old) + "\n")
    assert m.read_rejected(tmp_path) == (rejection(),)


def test_the_files_lie_where_dataset_json_says(tmp_path: Path) -> None:
    files, root = tmp_path / "files", tmp_path / "set"
    (files / "real").mkdir(parents=True)
    root.mkdir()
    lines(root, MINIMAL)
    for said in ("../files", str(files)):
        write_info(root, DatasetInfo(name="x", root=said, kind="folder"))
        found = m.read_manifest(root)
        assert found.path(found.clips[0]).resolve() == files / "real/b.avi"
        assert found.select(split="test").path(found.clips[0]) == found.path(found.clips[0])
        (tmp_path / "elsewhere").write_bytes(b"film")
        (files / "real/b.avi").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(InputError, match="is a link out of the folder"):
            m.read_manifest(root)
        (files / "real/b.avi").unlink()
    (root / "dataset.json").write_text('{"root": "", "colour": 1}')
    with pytest.raises(InputError, match=r"dataset\.json: root: .*; colour: "):
        m.read_manifest(root)


def test_what_a_record_does_not_state_is_in_the_file(tmp_path: Path) -> None:
    frames = np.zeros((5, 16, 32, 3), np.uint8)
    write_video(tmp_path / "real/b.avi", frames, Fraction(30000, 1001), crf=30)
    found = m.read_manifest(lines(tmp_path, MINIMAL | {"num_frames": 4}))
    assert header_of(found, found.clips[0]) == ClipHeader(Fraction(30000, 1001), 4, 32, 16)
    (tmp_path / "real/b.avi").unlink()
    assert header_of(found, found.clips[0]).width == 32  # a file is opened once
    stated = MINIMAL | {"fps": "25", "num_frames": 4, "width": 8, "height": 6}
    clip = m.read_manifest(lines(tmp_path, stated)).clips[0]
    assert header_of(m.Manifest(Path("nowhere"), (clip,)), clip).duration_s == 0.16
    lost = m.read_manifest(lines(tmp_path, MINIMAL | {"file_name": "c.mp4"}))
    with pytest.raises(InputError, match=r"c\.mp4"):
        header_of(lost, lost.clips[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "real", "driver": "d"},
        {"label": "real", "generator": "g"},
        {"label": "real", "source_frame": 0},
        {"driver": ""},
        {"generator": ""},
        {"source_frame": None},
    ],
)
def test_label_and_origin_agree(record, changes: dict) -> None:
    with pytest.raises(ValueError, match=r"driver, generator, method (or|and) source_frame"):
        record(**changes)


def test_not_json_not_text_nothing(tmp_path: Path, record) -> None:
    file = tmp_path / "metadata.jsonl"
    with pytest.raises(InputError, match=r"metadata\.jsonl: no such file"):
        m.read_manifest(tmp_path)
    file.write_text("")
    with pytest.raises(InputError, match="no clips"):
        m.read_manifest(tmp_path)
    file.write_text(record().model_dump_json() + "\n{half")
    with pytest.raises(InputError, match=r"metadata\.jsonl:2: not valid JSON"):
        m.read_manifest(tmp_path)
    file.write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="UTF-8"):
        m.read_manifest(tmp_path)


def test_duplicates_are_refused(tmp_path: Path, record) -> None:
    with pytest.raises(InputError, match=r"clips/raw/a\.mp4 twice"):
        m.write_manifest(tmp_path, [record(), record()])
    with pytest.raises(InputError, match="clip a in raw twice"):
        m.write_manifest(tmp_path, [record(), record(file_name="clips/raw/b.mp4")])
    line = record().model_dump_json()
    (tmp_path / "metadata.jsonl").write_text(f"{line}\n{line}\n")
    with pytest.raises(InputError, match="twice"):
        m.read_manifest(tmp_path)


def test_qualities_of_a_clip_agree(tmp_path: Path, record) -> None:
    other = record(file_name="clips/c23/a.mp4", quality="c23", split="test")
    with pytest.raises(InputError, match="one clip but differ in split"):
        m.write_manifest(tmp_path, [record(), other])


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, record) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.mp4").write_bytes(b"secret")
    for name in ("file", "folder"):
        root = tmp_path / name
        (root / "clips").mkdir(parents=True)
        if name == "folder":
            (root / "clips/raw").symlink_to(outside)
        else:
            (root / "clips/raw").mkdir()
            (root / "clips/raw/a.mp4").symlink_to(outside / "a.mp4")
        m.write_manifest(root, [record()])
        with pytest.raises(InputError, match="link out of the folder"):
            m.read_manifest(root)


def test_select(tmp_path: Path, record) -> None:
    real = record(file_name="clips/raw/b.mp4", clip_id="b", label="real", split="test")
    whole = m.Manifest(tmp_path, (record(), real))
    assert whole.select(label="real").clips == (real,)
    assert whole.select(split="test", quality="raw", action="yaw").clips == (real,)
    assert whole.select(split="test", action="nod").clips == ()
    assert whole.select().clips == whole.clips
    assert whole.path(real) == tmp_path / "clips/raw/b.mp4"


def test_rejected(tmp_path: Path, rejection) -> None:
    assert m.read_rejected(tmp_path) == ()
    early = rejection(
        attempt_id="a", action=None, split=None, source_frame=None, driver="", generator=""
    )
    m.write_rejected(tmp_path, [rejection(), early])
    assert m.read_rejected(tmp_path) == (early, rejection())
    (tmp_path / "rejected.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"rejected\.jsonl:1: attempt_id"):
        m.read_rejected(tmp_path)


def test_acceptance_counts_each_clip_once(record, rejection) -> None:
    clips = [
        record(),
        record(file_name="clips/c23/a.mp4", quality="c23"),  # the same clip, counted once
        record(file_name="b.mp4", clip_id="b"),
        record(file_name="c.mp4", clip_id="c", label="real", action="nod"),
    ]
    rejected = [rejection(), rejection(action="blink"), rejection(label="real", action="nod")]
    counts = m.acceptance(clips, rejected, "fake")
    assert counts == {Action.BLINK: Rate(0, 1), Action.YAW: Rate(2, 3)}
    assert m.acceptance(clips, rejected, "real") == {Action.NOD: Rate(1, 2)}


def test_records_share_the_set_of_their_fields(tmp_path: Path, record) -> None:
    """A set for each record would be most of a large manifest's memory."""
    lines = [record(file_name=f"clips/raw/{i}.mp4", clip_id=str(i)) for i in range(3)]
    (tmp_path / "metadata.jsonl").write_text("".join(f"{r.model_dump_json()}\n" for r in lines))
    clips = m.read_manifest(tmp_path).clips
    assert len({id(clip.model_fields_set) for clip in clips}) == 1
    assert len({id(clip.identities) for clip in clips}) == 1
    assert len({id(clip.extra) for clip in clips}) == 1
    assert clips == tuple(lines)
    changed = clips[0].model_copy(update={"take": 7})
    assert (changed.take, clips[1].take) == (7, lines[1].take)


def test_provenance_has_one_length() -> None:
    tags = [provenance("real", "filmed"), provenance("fake", "person-1 é driven by driver-2")]
    assert {len(tag.encode()) for tag in tags} == {LENGTH}
    assert read_provenance(tags[1]) == ("fake", "person-1 é driven by driver-2")
    assert read_provenance("made with love") is None
    with pytest.raises(InputError, match="bytes too long"):
        provenance("fake", "x" * 300)


@pytest.mark.parametrize(
    "line",
    ["[" * 100_000, '{"seed":' * 100_000, "1" * 5000],
    ids=["deep list", "deep object", "long number"],
)
def test_a_line_that_python_cannot_hold_is_one_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "metadata.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=r"metadata.jsonl:1: .*; expected") as caught:
        m.read_manifest(tmp_path)
    assert len(str(caught.value)) < 500


def test_a_line_has_a_largest_length(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text(" " * (1 << 20) + "{}\n")
    with pytest.raises(InputError, match="the line has 1,048,579 characters; expected 1,048,576"):
        m.read_manifest(tmp_path)


@pytest.mark.parametrize("score", ["NaN", "Infinity", "1e999"])
def test_a_detectors_score_is_a_number(tmp_path: Path, score: str, record) -> None:
    m.write_manifest(tmp_path, [record()])
    file = tmp_path / "metadata.jsonl"
    values = json.loads(file.read_text()) | {"screening": []}
    verdict = f'[{{"detector": "d", "live": true, "score": {score}, "reason": ""}}]'
    file.write_text(json.dumps(values).replace('"screening": []', f'"screening": {verdict}'))
    with pytest.raises(InputError, match="score"):
        m.read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("root", "store"),
    [
        ("hub/datasets--me--faces/snapshots/abc123", "hub/datasets--me--faces/blobs"),
        ("repo/sets/faces", "repo/.git/annex/objects"),
        ("repo", "repo/.git/annex/objects"),
    ],
    ids=["Hugging Face", "git-annex below", "git-annex"],
)
def test_links_into_a_known_store_are_followed(
    tmp_path: Path, root: str, store: str, record
) -> None:
    clip = record()
    m.write_manifest(tmp_path / "plain", [clip])
    (tmp_path / store).mkdir(parents=True)
    for name, content in (
        (m.METADATA, (tmp_path / "plain" / m.METADATA).read_bytes()), (clip.file_name, b"film"),
    ):  # fmt: skip
        blob = tmp_path / store / f"blob-of-{Path(name).name}"
        blob.write_bytes(content)
        link = tmp_path / root / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    assert m.read_manifest(tmp_path / root).clips == (clip,)
    other = tmp_path / "elsewhere"
    other.write_bytes(b"film")
    link.unlink()
    link.symlink_to(other)
    with pytest.raises(InputError, match=r"is a link out of the folder; .*cp -rL"):
        m.read_manifest(tmp_path / root)
