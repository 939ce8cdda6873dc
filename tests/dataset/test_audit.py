from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.dataset import classify
from dfmnist.dataset.audit import AuditError, audit, read_audit, write_audit
from dfmnist.dataset.classify import cross_validate, one_feature_auc
from dfmnist.dataset.manifest import Manifest, read_manifest, write_manifest
from dfmnist.media.video import write_video

Writer = Callable[[Path, np.ndarray, int, str], int]


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
    report.require_pass()
    assert read_json(write_audit(root, report))["passed"] is True
    assert audit(root) == report


def test_audit_file_is_read_back_also_as_version_0_1_wrote_it(make_dataset, tmp_path: Path) -> None:
    report = audit(make_dataset())
    assert read_audit(tmp_path) is None
    path = write_audit(tmp_path, report)
    assert read_audit(tmp_path) == report

    def as_before(found: dict) -> dict:
        auc = found.pop("auc")
        names = {"auc": "value", "low": "low", "high": "high", "clips": "n", "identities": "groups"}
        return {**{old: auc[new] for old, new in names.items()}, **found}

    written = read_json(path)
    written["protocol"] = as_before(written["protocol"])
    for table in (written["protocol_by_quality"], written["signal"]):
        table.update({quality: as_before(found) for quality, found in table.items()})
    write_json(path, written)
    assert read_audit(tmp_path) == report
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


def other_encoder(path: Path, frames: np.ndarray, crf: int, tag: str, **options: str) -> int:
    """Another program's hand: not bit-exact, its own GOP."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        container.metadata["comment"] = tag
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), **options})
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
        report.require_pass()


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
    manifest = read_manifest(make_dataset())
    with pytest.raises(InputError, match="holds 0 fake clips"):
        audit(manifest.select(label="real"))


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


def test_a_single_fake_is_judged_by_single_features(make_dataset) -> None:
    manifest = read_manifest(make_dataset())
    fakes = manifest.select(label="fake").clips[:1]
    honest = audit(Manifest(manifest.root, manifest.select(label="real").clips + fakes))
    assert (honest.protocol.auc.value, honest.signal["raw"].grouped_by) == (0.5, "none")
    other = read_manifest(make_dataset(fake_writer=other_rate, name="other"))
    fakes = other.select(label="fake").clips[:1]
    leaky = audit(Manifest(other.root, other.select(label="real").clips + fakes))
    assert not leaky.passed


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
