from fractions import Fraction

import pytest

from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file
from dfmnist.dataset.audit import audit
from dfmnist.dataset.card import SYNTHETIC, CardText, card, write_card
from dfmnist.dataset.info import DatasetInfo
from dfmnist.dataset.manifest import Manifest, read_manifest, write_manifest
from dfmnist.dataset.provenance import provenance
from dfmnist.dataset.splits import split_info
from dfmnist.dataset.summary import summarise
from dfmnist.dataset.verify import notes, verify
from dfmnist.media.video import read_frames, write_video
from dfmnist.stats.intervals import Rate


def test_summary(make_dataset, rejection) -> None:
    manifest = read_manifest(make_dataset(qualities=("raw", "c23")))
    found = summarise(manifest, [rejection(action="blink"), rejection(action="yaw")])
    assert (found.clips, found.files, found.real, found.fake) == (16, 32, 8, 8)
    assert (found.identities, found.drivers) == (8, 3)
    assert found.hours == pytest.approx(16 * 10 / 25 / 3600)
    assert found.bytes == sum(p.stat().st_size for p in manifest.root.rglob("*.mp4"))
    assert found.by_split["train"] == {"real": 4, "fake": 4, "identities": 4}
    assert found.by_quality == {q: {"real": 16 // 2, "fake": 8} for q in ("raw", "c23")}
    assert sum(row["fake"] for row in found.by_action.values()) == 8
    assert found.fake_attempts[Action.BLINK] == Rate(1, 2)
    train = summarise(manifest.select(split="train"), ())
    assert train.by_split["test"] == {"real": 0, "fake": 0, "identities": 0}


def test_card(make_dataset, rejection) -> None:
    manifest = read_manifest(make_dataset())
    report = audit(manifest)
    text = CardText("Tiny", synthetic_actors=True, departures=("Two seconds.",))
    path = write_card(manifest, (rejection(action="blink"),), report, text)
    written = path.read_text()
    assert written.startswith('---\npretty_name: "Tiny"\nlicense: apache-2.0\n')
    assert SYNTHETIC in written
    assert "| Blink | 1 of 1 | 1 of 2 |" in written
    assert "\n| Blink | 1 | 1 |\n" in written  # clips by action
    assert "AUC 0.500 [0.500, 0.500], passed" in written
    assert "- Consent: no person is shown" in written
    assert "- Two seconds." in written
    filmed = card(manifest, (), report, CardText("Tiny", synthetic_actors=False))
    assert SYNTHETIC not in filmed
    assert "Departures" not in filmed


def test_verify(make_dataset) -> None:
    root = make_dataset(people=3)
    (root / "drivers").mkdir()
    (root / "drivers/d-yaw-0.mp4").write_bytes(b"what build leaves there is no clip")
    assert verify(root) == []
    clips = [root / c.file_name for c in read_manifest(root).clips]
    clips[0].write_bytes(clips[0].read_bytes() + b"x")
    clips[1].unlink()
    (root / "clips/raw/extra.mp4").write_bytes(b"")
    problems = verify(root)
    assert len(problems) == 3
    assert problems[0].startswith(f"{clips[0].relative_to(root)}: SHA-256")
    assert problems[1].endswith(": missing")
    assert problems[2] == "clips/raw/extra.mp4: not in the manifest"


def test_verify_finds_what_misleads(make_dataset) -> None:
    """A clip of the other class, and a folder that VideoFolder takes for a split."""
    root = make_dataset(people=3)
    (root / "clips/raw/.tmp-abc.mp4").write_bytes(b"what a stopped command leaves is no clip")
    clips = sorted(read_manifest(root).clips, key=lambda clip: clip.label == "fake")
    path = root / clips[0].file_name
    other = provenance("fake", "real clip of person 0")
    write_video(path, read_frames(path), Fraction(clips[0].fps), crf=18, comment=other)
    clips[0] = clips[0].model_copy(update={"sha256": sha256_file(path)})
    (root / "val").mkdir()
    (root / clips[1].file_name).rename(root / "val/b.mp4")
    clips[1] = clips[1].model_copy(update={"file_name": "val/b.mp4"})
    write_manifest(root, clips)
    assert verify(root) == [
        f"{clips[0].file_name}: carries a tag of a fake clip, expected real",
        "folder 'val': named like a split; VideoFolder would lose the metadata",
    ]


def test_verify_names_what_cannot_be_read_and_goes_on(make_dataset) -> None:
    root = make_dataset(people=3)
    clips = list(read_manifest(root).clips)
    path = root / clips[0].file_name
    path.write_bytes(b"no video")
    clips[0] = clips[0].model_copy(update={"sha256": sha256_file(path)})
    write_manifest(root, clips)
    (problem,) = verify(root)
    assert problem.startswith(f"{path}: cannot be read as video")
    (root / "rejected.jsonl").write_text("{")
    with pytest.raises(InputError, match=r"rejected\.jsonl:1: not valid JSON"):
        verify(root)


def test_splits_that_share_people_are_noted_where_they_are_declared(make_dataset) -> None:
    manifest = read_manifest(make_dataset(people=3))
    clips = [c.model_copy(update={"split": s}) for c in manifest.clips for s in ("train", "test")]
    declared = DatasetInfo(splits=split_info(clips, "official", 0))
    assert notes(Manifest(manifest.root, tuple(clips), declared)) == [
        "4 people are in two splits or more, such as driver-train"
    ]
    assert notes(Manifest(manifest.root, tuple(clips))) == []


def test_verify_reads_the_files(make_dataset, record) -> None:
    root = make_dataset(people=3)
    clips = list(read_manifest(root).clips)
    path = root / clips[0].file_name
    write_video(path, read_frames(path)[:4], Fraction(clips[0].fps), crf=18, comment="other")
    clips[0] = clips[0].model_copy(update={"sha256": sha256_file(path)})
    clips[1] = clips[1].model_copy(update={"split": "test"})
    write_manifest(root, clips)
    problems = "\n".join(verify(root))
    assert "holds (32, 32, 4, '25'), expected (32, 32, 10, '25')" in problems
    assert "no provenance tag" in problems
    assert "is in" in problems
