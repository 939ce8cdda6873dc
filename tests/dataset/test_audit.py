import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tests.dataset.test_layouts import mnist_plus
from tests.dataset.trees import differ
from tests.running import called

from dfmnist.core.choices import SplitRule
from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.dataset import classify
from dfmnist.dataset.audit import AuditError, audit, read_audit, write_audit
from dfmnist.dataset.classify import cross_validate, feature_auc, make_folds, one_feature_auc
from dfmnist.dataset.fingerprint import hashes_of, near_pairs
from dfmnist.dataset.info import DatasetInfo, SplitInfo
from dfmnist.dataset.manifest import Manifest, read_manifest, write_manifest
from dfmnist.media.video import read_frames, resize_frames, write_video

Writer = Callable[[Path, np.ndarray, int, str], int]


@pytest.fixture(autouse=True)
def few_trees_and_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer trees and draws: they take most of an audit's time here."""
    monkeypatch.setattr(classify, "_TREES", 7)
    monkeypatch.setattr(classify, "_DRAWS", 50)


def test_honest_dataset_passes_at_exactly_chance(make_dataset) -> None:
    root = make_dataset(qualities=("raw", "c40"))
    report = audit(root)
    assert report.passed
    assert report.protocol.auc.value == 0.5
    assert set(report.protocol_by_quality) == {"all", "raw", "c40"}
    assert report.varying == ()
    assert set(report.signal) == {"raw", "c40"}
    for estimate in report.signal.values():
        auc = estimate.auc
        assert 0 <= auc.low <= auc.value <= auc.high <= 1
        assert (auc.n, auc.groups, estimate.grouped_by) == (16, 8, "identity")
    report.require_pass(Path("data"))
    assert read_json(write_audit(root, report))["passed"] is True
    assert audit(root) == report


NEW = ("protocol_by_method", "failed", "broken", "people", "copies", "counts", "schema_version")
"""Fields of an audit that version 0.1.0 did not write."""


def test_audit_file_is_read_back_also_as_version_0_1_wrote_it(make_dataset, tmp_path: Path) -> None:
    report = audit(make_dataset())
    assert read_audit(tmp_path) is None
    path = write_audit(tmp_path, report)
    assert read_audit(tmp_path) == report

    def as_before(found: dict) -> dict:
        auc = found.pop("auc")
        names = {"auc": "value", "low": "low", "high": "high", "clips": "n", "identities": "groups"}
        return {**{old: auc[new] for old, new in names.items()}, **found}

    written = {key: value for key, value in read_json(path).items() if key not in NEW}
    written["protocol"] = as_before(written["protocol"])
    for table in (written["protocol_by_quality"], written["signal"]):
        table.update({quality: as_before(found) for quality, found in table.items()})
    write_json(path, written)
    old = read_audit(tmp_path)
    assert old is not None
    assert (old.protocol, old.signal, old.passed) == (report.protocol, report.signal, True)
    assert set(old.findings()) == {"protocol"}
    write_json(path, {**written, "passed": False})
    failed = read_audit(tmp_path)
    assert failed is not None
    assert failed.failed == ("protocol",)
    write_json(path, {**plain(report), "schema_version": 3})
    with pytest.raises(InputError, match=r"no audit report \(schema_version: "):
        read_audit(tmp_path)
    path.write_text('{"passed": true}')
    with pytest.raises(InputError, match=r"audit\.json: is no audit report \(limit: "):
        read_audit(tmp_path)


def other_rate(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
    return write_video(path, frames, Fraction(30), crf=crf, comment=tag)


def shorter(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
    return write_video(path, frames[:-1], Fraction(25), crf=crf, comment=tag)


def smaller(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
    return write_video(path, frames[:, :-2], Fraction(25), crf=crf, comment=tag)


def other_factor(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
    return write_video(path, frames, Fraction(25), crf=crf + 5, comment=tag)


def shorter_tag(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
    return write_video(path, frames, Fraction(25), crf=crf, comment=tag[:-1])


def plain_writer(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
    return write_video(path, frames, Fraction(25), crf=crf, comment=tag)


def other_encoder(
    path: Path, frames: np.ndarray, crf: int, tag: str, rate: int = 25, **options: str
) -> int:
    """Another program's hand: not bit-exact, its own GOP."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        container.metadata["comment"] = tag
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), **options})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return len(frames)


def other_gop(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
    return other_encoder(path, frames, crf, tag, g="5")


@pytest.mark.parametrize(
    ("writer", "named"),
    [
        (other_rate, "fps"),
        (shorter, "num_frames"),
        (smaller, "height"),
        (other_factor, "encoder_settings"),
        (shorter_tag, "comment_bytes"),
        (other_encoder, "metadata"),
        (other_gop, "key_frames"),
    ],
)
def test_each_leak_fails(make_dataset, writer: Writer, named: str) -> None:
    report = audit(make_dataset(fake_writer=writer))
    assert not report.passed
    assert report.protocol.auc.value > 0.95
    assert named in {leak.name for leak in report.leaks}
    with pytest.raises(AuditError, match=r"AUC 1\.00 from .*real .*fake.*below 0\.6"):
        report.require_pass(Path("data"))


def test_a_leak_in_one_quality_only_fails(make_dataset) -> None:
    def only_c40(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
        return write_video(path, frames, Fraction(25), crf=crf - (crf == 40), comment=tag)

    report = audit(make_dataset(qualities=("raw", "c40"), fake_writer=only_c40))
    assert not report.passed
    assert report.protocol_by_quality["raw"].auc.value == 0.5
    assert report.protocol_by_quality["c40"].auc.value > 0.95


def test_a_quality_that_only_fakes_have_fails(make_dataset) -> None:
    root = make_dataset(qualities=("raw", "c40"))
    clips = [c for c in read_manifest(root).clips if c.label == "fake" or c.quality == "raw"]
    write_manifest(root, clips)
    report = audit(root)
    assert not report.passed
    assert "quality" in {leak.name for leak in report.leaks}


def test_the_content_of_the_tag_is_left_out(make_dataset) -> None:
    report = audit(make_dataset())  # every tag says its label, at one length
    assert report.protocol.auc.value == 0.5


def test_before_the_manifest_is_written(make_dataset) -> None:
    root = make_dataset()
    manifest = read_manifest(root)
    (root / "metadata.jsonl").unlink()
    assert audit(manifest).passed


def test_one_class_only(make_dataset) -> None:
    """Nothing can tell the classes apart; the other checks are made all the same."""
    report = audit(read_manifest(make_dataset()).select(label="real"))
    assert report.passed
    assert (report.protocol, report.signal, report.leaks) == (None, {}, ())
    assert set(report.findings()) == {"files", "people", "copies"}


def test_broken_files_are_listed_and_the_audit_goes_on(make_dataset) -> None:
    root = make_dataset()
    manifest = read_manifest(root)
    first, second, *_ = (manifest.path(clip) for clip in manifest.clips)
    first.write_bytes(first.read_bytes()[:300])
    second.unlink()
    report = audit(root)
    assert report.failed == ("files",)
    assert report.broken is not None
    found = {broken.file_name: broken.reason for broken in report.broken}
    assert set(found) == {clip.file_name for clip in manifest.clips[:2]}
    assert all(reason and str(root) not in reason for reason in found.values())
    assert report.protocol is not None
    assert report.protocol.auc.n == 14
    assert report.copies is not None
    assert report.copies.clips == 14
    wanted = "audit failed: files: 2 of 16 files cannot be read, such"
    with pytest.raises(AuditError, match=rf"^data: {wanted}.*; expected a dataset that passes"):
        report.require_pass(Path("data"))
    write_audit(root, report)
    assert read_audit(root) == report  # what failed, too
    for clip in manifest.clips:
        manifest.path(clip).unlink(missing_ok=True)
    with pytest.raises(InputError, match="none of 16 files can be read"):
        audit(root)


def test_counts(make_dataset) -> None:
    counts = audit(make_dataset(qualities=("raw", "c40"))).counts
    assert counts is not None
    assert counts["split"] == {
        "train": {"real": 4, "fake": 4, "people": 5},
        "validation": {"real": 2, "fake": 2, "people": 3},
        "test": {"real": 2, "fake": 2, "people": 3},
    }
    assert counts["quality"] == {q: {"real": 8, "fake": 8} for q in ("raw", "c40")}
    assert counts["method"] == {"fomm": {"real": 0, "fake": 8}}
    assert sum(row["real"] for row in counts["action"].values()) == 8


def with_people(manifest: Manifest, at: int, person: str, info: DatasetInfo) -> Manifest:
    """The manifest with one more person, who drives the clip `at`."""
    clips = list(manifest.clips)
    people = (*clips[at].identities, person)
    clips[at] = clips[at].model_copy(update={"identities": people, "driver": person})
    return Manifest(manifest.root, tuple(clips), info)


@pytest.mark.parametrize(
    ("rule", "drivers", "person", "declared"),
    [
        (None, True, "driver-test", False),
        ("identity", True, "driver-test", False),
        ("identity", False, "driver-test", True),
        ("identity", False, "person-7", True),
        ("official", True, "person-7", True),
    ],
)
def test_a_person_in_two_splits(
    make_dataset, rule: SplitRule | None, drivers: bool, person: str, declared: bool
) -> None:
    splits = rule and SplitInfo(rule=rule, drivers=drivers, sha256="0" * 64)
    manifest = read_manifest(make_dataset())
    at = next(i for i, c in enumerate(manifest.clips) if c.label == "fake" and c.split == "train")
    report = audit(with_people(manifest, at, person, DatasetInfo(splits=splits or None)))
    assert report.people is not None
    assert (report.people.shared, report.people.declared) == (int(not declared), int(declared))
    assert report.people.listed[0].person == person
    assert report.people.listed[0].declared is declared
    assert report.people.listed[0].roles["train"] == ("driver",)
    assert report.failed == (() if declared else ("people",))
    assert ("as dataset.json declares" in report.findings()["people"]) is declared


@pytest.mark.parametrize("how", ["encoded", "small", "cut", "mirrored", "faster"])
def test_a_copy_in_another_split(make_dataset, how: str) -> None:
    """A test clip is a training clip: encoded again, resized, cut, mirrored, at another rate."""
    root = make_dataset()
    clips = read_manifest(root).clips
    train, test = (next(c for c in clips if c.split == s) for s in ("train", "test"))
    frames = read_frames(root / train.file_name)
    changed = {
        "encoded": frames,
        "small": resize_frames(frames, (28, 28)),
        "cut": np.ascontiguousarray(frames[:, 2:-2, 2:-2]),
        "mirrored": np.ascontiguousarray(frames[:, :, ::-1]),
        "faster": frames,
    }[how]
    fps = Fraction(30 if how == "faster" else 25)
    write_video(root / test.file_name, changed, fps, crf=30)
    report = audit(root)
    assert report.copies is not None
    assert (report.copies.clips, report.copies.pairs) == (16, 1)
    assert set(report.copies.listed[0].files) == {train.file_name, test.file_name}
    assert "copies" in report.failed
    assert "1 pair of clips in different splits shows one recording" in report.findings()["copies"]


def test_copies_of_people_who_may_be_shared_are_declared(make_dataset) -> None:
    root = make_dataset()
    manifest = read_manifest(root)
    one, other = (next(c for c in manifest.clips if c.split == s) for s in ("train", "test"))
    shutil.copyfile(root / one.file_name, root / other.file_name)
    same = other.model_copy(update={"source": one.source, "identities": one.identities})
    clips = tuple(same if clip is other else clip for clip in manifest.clips)
    official = DatasetInfo(splits=SplitInfo(rule="official", sha256="0" * 64))
    found = audit(Manifest(root, clips, official))
    assert found.copies is not None
    assert (found.copies.pairs, found.copies.declared, found.passed) == (0, 1, True)
    strangers = audit(Manifest(root, manifest.clips, official))
    assert strangers.failed == ("copies",)


def test_black_clips_are_no_copies(make_dataset) -> None:
    root = make_dataset()
    clips = read_manifest(root).clips
    black = np.zeros((10, 32, 32, 3), np.uint8)
    for split in ("train", "test"):
        name = next(c.file_name for c in clips if c.split == split)
        write_video(root / name, black, Fraction(25), crf=18)
    copies = audit(root).copies
    assert copies is not None
    assert (copies.clips, copies.empty, copies.pairs) == (14, 2, 0)


def test_copies_are_found_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (9, 2, 8, 8, 3)).astype(np.uint8)
    hashes = np.stack([hashes_of(p.repeat(8, 1).repeat(8, 2)) for p in pictures])
    a, b = hashes[:7], hashes[[8, 6, 0, 7, 5]]

    def found() -> set[tuple[int, int]]:
        return {pair for i, j, _ in near_pairs(a, b) for pair in zip(i, j, strict=True)}

    assert found() == {(6, 1), (0, 2), (5, 4)}
    monkeypatch.setattr("dfmnist.dataset.fingerprint.BLOCK", 2)
    assert found() == {(6, 1), (0, 2), (5, 4)}


def test_a_leak_of_one_method_only(make_dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fakes of one method have another rate; those of the other are like the reals."""
    monkeypatch.setattr("dfmnist.dataset.shortcuts.METHOD_FILES", 2)
    turn = iter(range(100))

    def sometimes(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
        rate = Fraction(30 if next(turn) % 2 == 0 else 25)
        return write_video(path, frames, rate, crf=crf, comment=tag)

    manifest = read_manifest(make_dataset(fake_writer=sometimes))
    clips = tuple(
        clip.model_copy(update={"method": "faceswap"})
        if clip.label == "fake" and int(clip.clip_id[-1]) % 2 == 0
        else clip
        for clip in manifest.clips
    )
    found = audit(Manifest(manifest.root, clips))
    assert found.protocol_by_method is not None
    assert found.protocol_by_method["faceswap"].auc.value > 0.95
    assert found.protocol_by_method["fomm"].auc.value == 0.5
    assert found.leaks[0].name == "fps"


def released(root: Path, write_real: Writer, write_fake: Writer) -> None:
    """A tree of the released DeepFake MNIST+ in which each class has a program of its own."""
    mnist_plus(root)
    differ(root / "real_dataset", lambda path, frames: write_real(path, frames, 23, ""))
    differ(root / "fake_dataset", lambda path, frames: write_fake(path, frames, 23, ""))


def at_ten(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
    """As a program writes that nobody tells the rate: ten frames a second."""
    return other_encoder(path, frames, crf, tag, rate=10)


@pytest.mark.parametrize(
    ("write_real", "write_fake", "named"),
    [(at_ten, other_encoder, "fps"), (other_encoder, plain_writer, "encoder_settings")],
)
def test_the_released_dataset_is_told_what_betrays_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write_real: Writer, write_fake: Writer,
    named: str,
) -> None:  # fmt: skip
    """Frame rate or encoder, named by one command."""
    root, out = tmp_path / "files", tmp_path / "set"
    released(root, write_real, write_fake)
    code, _, err = called(capsys, "dataset", "import", "deepfake-mnist-plus", root, "--out", out)
    assert code == 0, err
    code, said, err = called(capsys, "dataset", "audit", out)
    assert code == 2
    assert "audit failed: protocol: AUC 1.00 from " in err
    assert named in err
    assert "AUC alone" in said
    assert named in said
    if named == "fps":
        assert "from fps (real 10, fake 25)" in err


def test_classifier_finds_what_is_there_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    fake = np.arange(400) % 2 == 1
    people = [f"p{i // 10}" for i in range(400)]
    ids = [str(i) for i in range(400)]
    noise = rng.normal(size=(400, 4))
    chance = cross_validate(noise, fake, people, ids)
    assert chance.auc.low < 0.5 < chance.auc.high
    assert abs(chance.auc.value - 0.5) < 0.1
    shifted = noise + np.outer(fake, [2.0, 0, 0, 0])
    found = cross_validate(shifted, fake, people, ids)
    assert found.auc.low > 0.8
    assert (found.folds, found.auc.groups, found.grouped_by) == (5, 40, "identity")


def test_classifier_does_not_learn_people() -> None:
    """A feature that names the person, and people who are mostly one class, carry nothing over."""
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(40), 10)
    mostly = rng.random(40)
    fake = rng.random(400) < mostly[people]
    names = rng.normal(size=40)[people][:, None]
    estimate = cross_validate(names, fake, [str(p) for p in people], list(map(str, range(400))))
    assert abs(estimate.auc.value - 0.5) < 0.2


def test_too_few_people_falls_back_to_clips() -> None:
    fake = np.arange(8) % 2 == 1
    estimate = cross_validate(
        fake[:, None].astype(float), fake, ["one"] * 8, [str(i) for i in range(8)]
    )
    assert (estimate.grouped_by, estimate.auc.value) == ("clip", 1.0)
    two = ["one", "two"] * 2 + ["two", "one"] * 2
    estimate = cross_validate(
        fake[:, None].astype(float), np.array([0, 0, 1, 1] * 2) == 1, two, list(map(str, range(8)))
    )
    assert estimate.grouped_by == "identity"


def test_a_single_fake_is_judged_by_single_features(make_dataset) -> None:
    manifest = read_manifest(make_dataset())
    fakes = manifest.select(label="fake").clips[:1]
    honest = audit(Manifest(manifest.root, manifest.select(label="real").clips + fakes))
    assert (honest.protocol.auc.value, honest.signal["raw"].grouped_by) == (0.5, "none")
    other = read_manifest(make_dataset(fake_writer=other_rate, name="other"))
    fakes = other.select(label="fake").clips[:1]
    leaky = audit(Manifest(other.root, other.select(label="real").clips + fakes))
    assert not leaky.passed


def test_a_text_of_each_clips_own_gives_nothing_away() -> None:
    """As a feature it separates any two classes; on clips that were not seen it does not."""
    fake = np.arange(40) % 2 == 1
    names = [str(i) for i in range(40)]
    folds = make_folds(fake, names, names)
    assert one_feature_auc(names, fake) == 1.0
    assert feature_auc(names, fake, folds) == 0.5
    said = ["mine" if f else "theirs" for f in fake]
    assert feature_auc(said, fake, folds) == 1.0
    around = [50.0 if f else 48.0 + 4 * (i % 4 == 0) for i, f in enumerate(fake)]
    assert one_feature_auc(around, fake) == 0.5
    assert feature_auc(around, fake, folds) == 1.0


def test_one_feature() -> None:
    fake = np.array([False, False, True, True])
    assert one_feature_auc([4.0, 3.0, 2.0, 1.0], fake) == 1.0
    assert one_feature_auc([1.0, 2.0, 1.0, 2.0], fake) == 0.5
    assert one_feature_auc(["a", "b", "c", "c"], fake) == 1.0
    assert one_feature_auc(["a", "b", "a", "b"], fake) == 0.5
    assert one_feature_auc([25.0, 25.0, "none", "none"], fake) == 1.0  # stated by some alone


def test_a_fold_is_trained_on_a_bounded_part(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.ensemble import ExtraTreesClassifier

    seen = []
    fit = ExtraTreesClassifier.fit
    monkeypatch.setattr(
        ExtraTreesClassifier, "fit", lambda self, x, y: (seen.append(len(x)), fit(self, x, y))[1]
    )
    monkeypatch.setattr(classify, "_MAX_FIT", 20)
    monkeypatch.setattr(classify, "_DRAWS", 5)
    fake = np.arange(60) % 2 == 1
    people = [f"p{i // 6}" for i in range(60)]
    cross_validate(fake[:, None] * 1.0, fake, people, [str(i) for i in range(60)])
    assert seen == [20] * 5


def test_what_varies_is_listed_worst_first_by_its_worst_quality(make_dataset) -> None:
    def leaky(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
        person = int(path.stem.rsplit("-", 1)[1])
        rate = Fraction(30) if person < 2 or crf == 40 else Fraction(25)
        comment = tag[:-1] if person < 1 else tag
        return write_video(path, frames, rate, crf=crf, comment=comment)

    report = audit(make_dataset(people=4, qualities=("raw", "c40"), fake_writer=leaky))
    found = {f.name: f.auc for f in report.varying}
    assert found["fps"] == 1.0  # of c40; in raw two of four fakes differ
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert len(set(found.values())) > 1
