"""MiniFASNet: the published layers, the part of the picture that it sees, the published reading."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.running import refused_at_last

from dfmnist.core.errors import InputError
from dfmnist.core.published_weights import PUBLISHED
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.liveness.chosen import choose_detectors
from dfmnist.liveness.minifasnet import (
    INPUT_PX,
    V1SE,
    V2,
    VARIANTS,
    MiniFasNet,
    MiniFasNetDetector,
    Variant,
    load_network,
    patch,
    place,
)
from dfmnist.media.image import read_image

FILES = {V2: "2.7_80x80_MiniFASNetV2.pth", V1SE: "4_0_0_80x80_MiniFASNetV1SE.pth"}


def stored(variant: Variant, path: Path, prefix: str = "module.") -> Path:
    """Random weights in the authors' form."""
    torch.manual_seed(3)
    state = MiniFasNet(variant).state_dict()
    torch.save({prefix + key: value for key, value in state.items()}, path)
    return path


@pytest.mark.parametrize(
    ("variant", "parameters"), [(V2, 434_560), (V1SE, 433_586)], ids=["V2", "V1SE"]
)
def test_the_size_is_the_published_one(variant: Variant, parameters: int) -> None:
    """The authors give 0.435 million for V2, and 0.43 million for the kind with excitation."""
    network = MiniFasNet(variant).eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert network(torch.zeros(2, 3, INPUT_PX, INPUT_PX)).shape == (2, 3)


def test_the_last_blocks_of_v1se_weigh_their_channels() -> None:
    names = {key.rpartition(".fc1")[0] for key in MiniFasNet(V1SE).state_dict() if ".fc1" in key}
    assert names == {
        f"conv_{stage}.model.{last}.se_module" for stage, last in ((3, 3), (4, 5), (5, 1))
    }
    assert not any(".fc1" in key for key in MiniFasNet(V2).state_dict())


def test_where_it_looks() -> None:
    """Worked out by the authors' rule: inside, moved in from a corner, and all that there is."""
    middle = np.array([280, 180, 319, 219], np.float32)
    assert place((400, 600), middle, 2.7) == (246, 146, 354, 254)
    assert place((400, 600), np.array([0, 0, 39, 39], np.float32), 2.7) == (0, 0, 108, 108)
    left, top, right, bottom = place((100, 100), np.array([20, 10, 79, 89], np.float32), 4.0)
    assert (top, bottom) == (0, 99)
    assert (right - left, left) == (75, 12)
    # a picture that is too narrow: as wide as it is, and 99 high around the face
    assert place((200, 100), np.array([30, 50, 69, 89], np.float32), 4.0) == (0, 20, 99, 119)


def test_pictures_are_bgr_and_not_scaled() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[..., 0] = 250
    seen = patch(picture, np.array([90, 90, 110, 110], np.float32), 2.7)
    assert seen.shape == (1, 3, INPUT_PX, INPUT_PX)
    assert seen[0, 2].allclose(torch.tensor(250.0))
    assert seen[0, :2].abs().max() == 0


def test_resizing_takes_no_mean() -> None:
    """OpenCV's bilinear resizing skips pixels of a large face, and the networks learnt from it."""
    lines = np.zeros((801, 801, 3), np.uint8)
    lines[::2] = 200
    seen = patch(lines, np.array([300, 300, 499, 499], np.float32), 4.0)
    assert float(seen.std()) > 20


def test_weights_are_loaded_whole_or_refused(tmp_path: Path) -> None:
    for prefix in ("module.", ""):
        torch.manual_seed(4)  # not the seed of what is stored
        loaded = load_network(V2, path := stored(V2, tmp_path / "a.pth", prefix))
        assert not loaded.training
        kept = torch.load(path, weights_only=True)
        assert all(torch.equal(v, kept[prefix + k]) for k, v in loaded.state_dict().items())
    with pytest.raises(InputError, match=r"a\.pth: lacks a fitting conv_3\.model\.1\.conv\.conv"):
        load_network(V1SE, tmp_path / "a.pth")
    state = torch.load(stored(V2, tmp_path / "b.pth"), weights_only=True)
    torch.save({**state, "module.more": torch.zeros(1)}, tmp_path / "b.pth")
    with pytest.raises(InputError, match=r"holds module\.more, which the network has not"):
        load_network(V2, tmp_path / "b.pth")
    state["module.prob.weight"][0, 0] = torch.nan
    torch.save(state, tmp_path / "b.pth")
    with pytest.raises(InputError, match=r"prob\.weight holds NaN"):
        load_network(V2, tmp_path / "b.pth")
    with pytest.raises(
        InputError, match=r"gone\.pth: no such file; expected the published weights"
    ):
        load_network(V2, tmp_path / "gone.pth")


def test_a_detector_of_files_and_one_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    settings = tmp_path / "mini.toml"
    files = [stored(one, tmp_path / f"{one.name}.pth") for one in VARIANTS]
    settings.write_text(f'kind = "minifasnet"\nv2 = "{files[0]}"\nv1se = "{files[1]}"\n')
    (found,) = choose_detectors([str(settings)])
    assert found.name == "minifasnet-files"
    frames = np.random.default_rng(0).integers(0, 255, (9, 90, 90, 3), np.uint8)
    detector = MiniFasNetDetector(*files)
    verdict = detector.judge(frames, (0, 5, 8), np.array([[20, 20, 60, 60]] * 3, np.float32))
    assert 0 <= verdict.score <= 1
    assert verdict.live == (verdict.score >= 0.5)
    said = refused_at_last(
        capsys, "liveness", "check", tmp_path / "a.mp4", "--detector", "minifasnet"
    )
    assert "`dfmnist fetch minifasnet-v2 --from FILE`" in said


def test_scores_follow_the_largest_class(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    detector = MiniFasNetDetector(*[stored(one, tmp_path / f"{one.name}.pth") for one in VARIANTS])
    answers = iter([[0.3, 0.4, 0.3], [0.5, 0.4, 0.1]])
    monkeypatch.setattr(detector, "probabilities", lambda *_: np.array(next(answers)))
    one = (np.zeros((1, 9, 9, 3), np.uint8), (0,), np.zeros((1, 4), np.float32))
    assert detector.judge(*one).live  # the largest class, although below a half
    rejected = detector.judge(*one)
    assert (rejected.live, rejected.score) == (False, pytest.approx(0.4 / 0.9))
    assert rejected.reason == "looks like a picture of a person: P(live) 0.400"


def test_the_published_reading(shared: Path) -> None:
    """One real photo, a print and a telephone, as the authors' README shows them."""
    folder = shared / "data" / "weights" / "silent_face"
    detector = MiniFasNetDetector(folder / FILES[V2], folder / FILES[V1SE])
    read = {}
    for name in ("image_T1", "image_F1", "image_F2"):
        picture = read_image(shared / "data" / "spoof" / f"{name}.jpg")
        found = mtcnn().detect(picture)
        best = found.largest()
        assert best is not None
        verdict = detector.judge(picture[None], (0,), found.boxes_xyxy[best][None])
        read[name] = (verdict.live, verdict.score)
    assert [read[name][0] for name in read] == [True, False, False]
    assert read["image_T1"][1] > 0.9
    assert read["image_F1"][1] < 0.3  # a face found by another detector than the authors'
    assert read["image_F2"][1] < 0.1


def test_the_published_files_are_named(shared: Path) -> None:
    from dfmnist.core.files import sha256_file

    for variant, name in FILES.items():
        known = PUBLISHED[variant.name]
        assert (known.file_name, known.by_hand) == (name, False)
        path = shared / "data" / "weights" / "silent_face" / name
        assert sha256_file(path).startswith(known.sha256)
