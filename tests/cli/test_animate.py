"""`dfmnist animate` from the command line: what it makes, and what it says of bad input."""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from tests.fomm.test_networks import tiny
from tests.running import called, refused, refused_at_last

from dfmnist.dataset.provenance import read_provenance
from dfmnist.faces.weights import models_dir
from dfmnist.fomm.checkpoint import save_networks
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector
from dfmnist.media.image import write_image
from dfmnist.media.video import probe, read_comment, read_frames, write_video

NTSC = Fraction(30000, 1001)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, with the face models of the real one."""
    cache = tmp_path / ".cache"
    cache.mkdir()
    if models_dir().is_dir():
        (cache / "faces").symlink_to(models_dir())
    monkeypatch.setenv("DFMNIST_CACHE", str(cache))
    return cache


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    config = tiny(blend=True)  # what it makes shows the source
    torch.manual_seed(0)
    detector = KPDetector(config)
    torch.nn.init.normal_(detector.kp.weight, std=2.0)  # keypoints that move
    save_networks(path, config, detector, OcclusionAwareGenerator(config))
    return path


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return np.asarray(Image.open(path).convert("RGB"))


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def photo(path: Path, seed: int = 0) -> Path:
    write_image(path, noise(40, 48, 3, seed=seed))
    return path


def clip(path: Path, num_frames: int = 5, fps: Fraction = NTSC, seed: int = 0) -> Path:
    write_video(path, noise(num_frames, 48, 64, 3, seed=seed), fps, crf=18)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    """Run `dfmnist animate`; the lines on standard output."""
    code, out, err = called(capsys, "animate", *arguments)
    assert not code, err
    return out.splitlines()


def test_rate_length_label_and_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    out = tmp_path / "new" / "folder" / "o.mp4"
    long_name = tmp_path / f"{'面' * 50}.png"
    said = run(capsys, photo(long_name), clip(tmp_path / "d.mp4", 7), out,
               "--weights", weights, "--no-crop")  # fmt: skip
    assert said == [f"{out}: 7 frames at 30000/1001 a second"]
    info = probe(out)
    assert (info.fps, info.num_frames, info.width, info.height) == (NTSC, 7, 32, 32)
    tag = read_provenance(read_comment(out))
    assert tag is not None
    assert tag[0] == "fake"
    assert tag[1].startswith("AI-generated: 面")
    assert "moved as d.mp4, by fomm-tiny@" in tag[1]
    assert not [p for p in out.parent.iterdir() if p != out]


def test_motions_differ(capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path) -> None:
    source, driving = photo(tmp_path / "s.png"), clip(tmp_path / "d.mp4")
    made = []
    for motion in ("relative", "absolute", "relative_scaled"):
        out = tmp_path / f"{motion}.mp4"
        run(capsys, source, driving, out, "--weights", weights, "--no-crop", "--motion", motion)
        made.append(read_frames(out))
    assert not np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    # the driver is looked at once for all three
    assert len(list((tmp_path / ".cache" / "motion").iterdir())) == 1


def test_guided_motion_needs_faces(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, portrait: np.ndarray
) -> None:
    """With the shipped model: asked for, it is refused without a face; by default it is said."""
    photo, blank = tmp_path / "photo.png", tmp_path / "blank.png"
    face = np.asarray(Image.fromarray(portrait[50:430, 90:470]).resize((128, 128)))
    write_image(photo, face)
    write_image(blank, np.full((128, 128, 3), 90, np.uint8))
    driver, empty = tmp_path / "driver.mp4", tmp_path / "empty.mp4"
    write_video(driver, [np.roll(face, 3 * i, axis=1) for i in range(2)], Fraction(25), crf=10)
    write_video(empty, [np.full((128, 128, 3), 90, np.uint8)] * 2, Fraction(25), crf=10)
    rest = ("--no-crop", "--no-cache", "--backend", "torch")
    for source, driving, named in ((blank, driver, "blank.png"), (photo, empty, "empty.mp4")):
        words = ("animate", source, driving, tmp_path / "no.mp4", *rest)
        said = refused_at_last(capsys, *words, "--motion", "guided")
        assert f"{named}: no face found by the face mesh; expected a face for --motion" in said
        assert not (tmp_path / "no.mp4").exists()
        out = tmp_path / f"{named}.out.mp4"
        said = called(capsys, "animate", source, driving, out, *rest)[2]
        assert f"{named}: no face found by the face mesh; the motion is relative" in said
        assert probe(out).num_frames == 2
    code, _, said = called(capsys, "animate", photo, driver, tmp_path / "a.mp4", *rest)
    assert code == 0
    assert "motion is relative" not in said


def test_a_frame_of_a_video_as_source(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    source, driving = clip(tmp_path / "s.mp4", 6, seed=3), clip(tmp_path / "d.mp4")
    write_image(tmp_path / "third.png", read_frames(source)[2])
    made = {}
    for name, *option in (
        ("first",), ("zero", "--source-frame", 0), ("index", "--source-frame", 2),
        ("time", "--source-time", 2.5 / 30),
    ):  # fmt: skip
        out = tmp_path / f"{name}.mp4"
        run(capsys, source, driving, out, "--weights", weights, "--no-crop", *option)
        made[name] = read_frames(out)
    run(capsys, tmp_path / "third.png", driving, tmp_path / "p.mp4", "--weights", weights,
        "--no-crop", "--no-cache")  # fmt: skip
    assert np.array_equal(made["first"], made["zero"])
    assert np.array_equal(made["index"], made["time"])
    assert np.array_equal(made["index"], read_frames(tmp_path / "p.mp4"))
    assert not np.array_equal(made["first"], made["index"])
    for option, said in (
        (("--source-frame", 6), "no frame 6"), (("--source-frame", -1), "expected 0 or more"),
        (("--source-time", 0.21), "no frame at 0.21 s"),
        (("--source-time", 0, "--source-frame", 0), "expected one"),
    ):  # fmt: skip
        line = refused(capsys, "animate", source, driving, tmp_path / "x.mp4", "--no-crop",
                       "--weights", weights, *option)  # fmt: skip
        assert said in line
    line = refused(capsys, "animate", photo(tmp_path / "a.png"), driving, tmp_path / "x.mp4",
                   "--source-frame", 1)  # fmt: skip
    assert "a.png: is a photo" in line


def test_any_kind_of_picture(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    """The same picture, stored otherwise, gives the same clip."""
    colour, grey = noise(41, 33, 3), noise(41, 33)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to show
    clear = np.dstack([colour, np.full((41, 33), 255, np.uint8)])
    kinds = {
        "colour": Image.fromarray(colour),
        "alpha": Image.fromarray(clear),
        "turned": Image.fromarray(np.rot90(colour)),
        "grey": Image.fromarray(grey),
        "grey-as-colour": Image.fromarray(np.dstack([grey] * 3)),
        "deep": Image.fromarray(grey.astype(np.uint16) * 257),
    }
    driving, made = clip(tmp_path / "d.mp4", 2), {}
    for name, image in kinds.items():
        image.save(tmp_path / f"{name}.png", **({"exif": exif} if name == "turned" else {}))
        out = tmp_path / f"{name}.mp4"
        run(capsys, tmp_path / f"{name}.png", driving, out, "--weights", weights, "--no-crop")
        made[name] = read_frames(out)
    for name in ("alpha", "turned"):
        assert np.array_equal(made[name], made["colour"]), name
    for name in ("grey-as-colour", "deep"):
        assert np.array_equal(made[name], made["grey"]), name
    assert not np.array_equal(made["grey"], made["colour"])


def test_a_driver_of_one_frame_and_of_odd_size(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    driving = tmp_path / "odd.mp4"
    with av.open(str(driving), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 51, 37, "yuv444p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(noise(37, 51, 3), format="rgb24")))
        container.mux(stream.encode(None))
    out = tmp_path / "o.mp4"
    said = run(capsys, photo(tmp_path / "s.png"), driving, out, "--weights", weights, "--no-crop")
    assert said == [f"{out}: 1 frames at 25 a second"]
    assert probe(out).num_frames == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_driver_that_is_cut_short(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path, suffix: str
) -> None:
    driving, out = tmp_path / f"cut{suffix}", tmp_path / "new" / "o.mp4"
    with av.open(
        str(driving), "w", options={"movflags": "faststart"} if "4" in suffix else {}
    ) as c:
        stream = c.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in noise(40, 48, 64, 3):
            c.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        c.mux(stream.encode(None))
    driving.write_bytes(driving.read_bytes()[: driving.stat().st_size * 2 // 3])
    line = refused(capsys, "animate", photo(tmp_path / "s.png"), driving, out, "--no-crop",
                   "--weights", weights)  # fmt: skip
    found = line.split("is truncated: ")[1].split(" of 40 frames read")[0]
    assert 5 < int(found) < 40
    assert not out.parent.exists()


def test_a_folder_of_sources(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    people, out = tmp_path / "people", tmp_path / "out"
    for name, seed in (("a.png", 1), ("deep/b.jpg", 2), ("c.png", 3), ("c.bmp", 4), (".c.png", 5)):
        photo(people / name, seed)
    clip(people / "v.mp4", 3, seed=6)
    driving = clip(tmp_path / "d.mp4", 3)
    arguments = (people, driving, out, "--weights", weights, "--no-crop")
    run(capsys, *arguments)
    names = ["a.mp4", "c.bmp.mp4", "c.png.mp4", "deep/b.mp4", "v.mp4"]
    found = {p.relative_to(out).as_posix(): p for p in out.rglob("*.mp4")}
    assert sorted(found) == names
    assert {probe(p).num_frames for p in found.values()} == {3}
    assert len({p.read_bytes() for p in found.values()}) == 5
    # another run keeps what is there and makes what is not
    (out / "c.png.mp4").unlink()
    before = {name: path.stat().st_mtime_ns for name, path in found.items() if path.exists()}
    said = run(capsys, *arguments)
    assert said == [f"{out / 'c.png.mp4'}: 3 frames at 30000/1001 a second"]
    assert before.items() <= {n: p.stat().st_mtime_ns for n, p in found.items()}.items()
    assert run(capsys, *arguments) == []
    line = refused_at_last(capsys, "animate", *arguments, "--motion", "absolute")
    assert "a.mp4: was made of another source, driver or setting" in line


def test_one_bad_source_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    people, out = tmp_path / "people", tmp_path / "out"
    photo(people / "a.png")
    (people / "b.mp4").write_text("not a video\n")
    photo(people / "c.png", 1)
    driving = clip(tmp_path / "d.mp4", 2)
    line = refused_at_last(capsys, "animate", people, driving, out, "--weights", weights,
                           "--no-crop")  # fmt: skip
    assert "people: 1 sources not animated, the first: " in line
    assert "b.mp4: cannot be read as video" in line
    assert sorted(p.name for p in out.iterdir()) == ["a.mp4", "c.mp4"]


def test_best_frame_is_the_one_that_is_turned_as_the_source(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path, portrait: np.ndarray
) -> None:
    def turned(degrees: float) -> np.ndarray:
        image = Image.fromarray(portrait).rotate(degrees, Image.Resampling.BICUBIC)
        return np.asarray(image.resize((256, 300)))

    write_image(tmp_path / "s.png", turned(11))
    driving = tmp_path / "d.mp4"
    write_video(driving, [turned(d) for d in (-15, 0, 10, 25)], Fraction(25), crf=18)
    arguments = (tmp_path / "s.png", driving)
    options = ("--weights", weights, "--no-crop")
    out = tmp_path / "best.mp4"
    said = run(capsys, *arguments, out, *options, "--best-frame")
    assert said == [f"{out}: 4 frames at 25 a second, from driving frame 2"]
    run(capsys, *arguments, tmp_path / "first.mp4", *options)
    assert not np.array_equal(read_frames(out), read_frames(tmp_path / "first.mp4"))
    line = refused(capsys, "animate", *arguments, out, "--best-frame", "--motion", "absolute")
    assert "--best-frame with --motion absolute has no effect" in line
    line = refused_at_last(capsys, "animate", photo(tmp_path / "n.png"), driving,
                           tmp_path / "x.mp4", *options, "--best-frame")  # fmt: skip
    assert "n.png: no face found by the face mesh" in line
    assert not (tmp_path / "x.mp4").exists()


def test_faces_are_cropped_and_missed_ones_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path, portrait: np.ndarray
) -> None:
    small = np.asarray(Image.fromarray(portrait).resize((256, 300)))
    write_image(tmp_path / "face.png", small)
    write_video(tmp_path / "face.mp4", [small] * 3, Fraction(25), crf=18)
    options = ("--weights", weights)
    run(capsys, tmp_path / "face.png", tmp_path / "face.mp4", tmp_path / "o.mp4", *options)
    assert probe(tmp_path / "o.mp4").num_frames == 3
    out = tmp_path / "x.mp4"
    line = refused(capsys, "animate", photo(tmp_path / "wall.png"), tmp_path / "face.mp4", out,
                   *options)  # fmt: skip
    assert "wall.png: no face found" in line
    line = refused_at_last(capsys, "animate", tmp_path / "face.png", clip(tmp_path / "wall.mp4"),
                           out, *options)  # fmt: skip
    assert "wall.mp4: no face found" in line
    assert not out.exists()


def test_names_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    source, driving = photo(tmp_path / "p" / "s.png"), clip(tmp_path / "p" / "d.mp4")
    before = driving.read_bytes()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("none")
    for arguments, said in (
        ((source, driving, driving), "d.mp4: is an input"),
        ((driving, driving, tmp_path / "p" / ".." / "p" / "d.mp4"), "is an input"),
        ((source, driving, tmp_path), "is no name of an MP4"),
        ((source, driving, tmp_path / "o.avi"), "o.avi: is no name of an MP4"),
        ((tmp_path / "p", driving, tmp_path / "o.mp4"), "o.mp4: is one file, the source is a fold"),
        ((tmp_path / "p", driving, tmp_path / "p" / "out"), "lies in the folder of sources"),
        ((tmp_path / "p", driving, tmp_path / "p"), "lies in the folder of sources"),
        ((tmp_path / "empty", driving, tmp_path / "o"), "empty: holds no photo or video"),
        ((tmp_path / "no", driving, tmp_path / "o.mp4"), "no: no such file"),
        ((source, tmp_path / "no.mp4", tmp_path / "o.mp4"), "no.mp4: no such file"),
        ((source, source, tmp_path / "o.mp4"), "s.png: is a still picture"),
    ):
        line = refused(capsys, "animate", *arguments, "--no-crop", "--weights", weights)
        assert said in line, line
    assert driving.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [".cache", "empty", "p"]


def test_wrong_weights_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, driving = photo(tmp_path / "s.png"), clip(tmp_path / "d.mp4")
    page = tmp_path / "page.pth.tar"
    page.write_text("<!doctype html>")
    for weights, said in (
        (page, "page.pth.tar: is a web page"),
        ("vox-256", "vox-256: not in the cache"),
        ("vox-257", "vox-257: no such file"),
    ):
        line = refused(capsys, "animate", source, driving, tmp_path / "o.mp4", "--weights", weights)
        assert said in line


def test_ctrl_c_leaves_whole_files_and_the_next_run_goes_on(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people, out = tmp_path / "people", tmp_path / "out"
    for i in range(3):
        photo(people / f"{i}.png", i)
    driving = clip(tmp_path / "d.mp4", 60)
    command = [sys.executable, "-m", "dfmnist", "animate", people, driving, out]
    command += ["--weights", weights, "--no-crop", "--backend", "torch"]
    text = list(map(str, command))
    with subprocess.Popen(text, stderr=subprocess.PIPE, env={**os.environ}) as process:
        deadline = time.monotonic() + 300  # a busy machine starts slowly
        while not (out / "0.mp4").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert b"run the same command to go on" in said
    left = sorted(p.name for p in out.iterdir())
    assert left in (["0.mp4"], ["0.mp4", "1.mp4"])
    first = (out / "0.mp4").stat().st_mtime_ns
    assert called(capsys, *command[3:])[0] == 0
    assert sorted(p.name for p in out.iterdir()) == ["0.mp4", "1.mp4", "2.mp4"]
    assert (out / "0.mp4").stat().st_mtime_ns == first
    assert {probe(p).num_frames for p in out.iterdir()} == {60}
