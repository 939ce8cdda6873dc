import json
from pathlib import Path

import pytest

from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.dataset import manifest as m
from dfmnist.dataset.provenance import LENGTH, provenance, read_provenance
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
    assert first["schema_version"] == 1
    assert found.clips[2].rate.denominator == 1001


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
    "schema": ("schema_version", 2),
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


@pytest.mark.parametrize("field", list(m.Clip.model_fields))
def test_every_field_is_required(tmp_path: Path, record, field: str) -> None:
    line = json.loads(record().model_dump_json())
    del line[field]
    (tmp_path / "metadata.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=rf":1: {field}: Field required"):
        m.read_manifest(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "real", "driver_id": "d"},
        {"label": "real", "generator": "g"},
        {"label": "real", "source_frame": 0},
        {"driver_id": ""},
        {"generator": ""},
        {"source_frame": None},
    ],
)
def test_label_and_origin_agree(record, changes: dict) -> None:
    with pytest.raises(ValueError, match=r"driver_id, generator (or|and) source_frame"):
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
        attempt_id="a", action=None, split=None, source_frame=None, driver_id="", generator=""
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
