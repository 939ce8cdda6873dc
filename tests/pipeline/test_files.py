"""One source or many, one driver, in constant memory."""

import gc
import os
import shutil
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from safetensors.torch import load_file, save_file
from tests.fomm.test_networks import tiny
from tests.living import Living
from tests.media.test_opening import encode
from tests.media.test_sound import beep_of, filmed

from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file
from dfmnist.faces.crop import face_box_union, square_crop
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.fomm.checkpoint import save_networks
from dfmnist.fomm.guide import NUM_POINTS, Faces
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import Keypoints, KPDetector
from dfmnist.media.image import write_image
from dfmnist.media.opening import FrameTimes
from dfmnist.media.sound import has_sound
from dfmnist.media.video import frame_times, read_comment, read_frames, write_video
from dfmnist.pipeline import driver as drivers
from dfmnist.pipeline import files
from dfmnist.pipeline.animate import DrivingMotion, animate, animator, load_motion, save_motion
from dfmnist.pipeline.config import AnimateConfig
from dfmnist.pipeline.files import animate_file, animate_folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    config = tiny(blend=True)  # what it makes shows the source
    torch.manual_seed(0)
    detector = KPDetector(config)
    torch.nn.init.normal_(detector.kp.weight, std=2.0)  # keypoints that move
    save_networks(path, config, detector, OcclusionAwareGenerator(config))
    return path


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def config_of(weights: Path, **changes: object) -> AnimateConfig:
    values: dict[str, object] = {"weights": weights, "crop": False, "cache": False}
    return AnimateConfig(**(values | changes))  # type: ignore[arg-type]


def test_a_stream_gives_the_motion_that_an_array_gives(weights: Path, tmp_path: Path) -> None:
    driving = noise(43, 40, 40, 3)
    save_motion(tmp_path / "whole.safetensors", driving, animator(weights))
    stream = Living(iter(driving))
    save_motion(tmp_path / "stream.safetensors", stream, animator(weights))
    assert stream.passed == 43
    assert stream.most <= 18  # two batches of eight, and one on either side
    assert sha256_file(tmp_path / "whole.safetensors") == sha256_file(
        tmp_path / "stream.safetensors"
    )
    source = noise(40, 40, 3, seed=1)
    model = animator(weights)
    np.testing.assert_array_equal(
        animate(source, tmp_path / "stream.safetensors", weights, "relative"),
        model.animate(model.encode(source), model.keypoints(driving)),
    )


def resident_mb() -> float:
    text = Path("/proc/self/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_no_batch_is_pinned_by_its_results(tmp_path: Path) -> None:
    """Memory of the process, torch's too: small results must not sit in the batches' places."""
    config = tiny(image_size=256, num_kp=24)
    path = tmp_path / "tiny256.safetensors"
    save_networks(path, config, KPDetector(config), OcclusionAwareGenerator(config))
    seen: dict[int, float] = {}

    def frames() -> Iterator[np.ndarray]:
        picture = noise(400, 400, 3)
        for i in range(161):
            if i in (60, 160):
                seen[i] = resident_mb()
            yield square_crop(np.roll(picture, i, 1)[None], (20, 20, 380, 380), 256)[0]

    save_motion(tmp_path / "m.safetensors", frames(), animator(path))
    assert seen[160] - seen[60] < 40  # pinned, it would be 100


def test_a_driver_without_frames_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m\.safetensors: no driving frames"):
        save_motion(tmp_path / "m.safetensors", iter(()), animator(weights))
    assert not any(tmp_path.iterdir())


def test_faces_are_found_on_the_way(weights: Path, tmp_path: Path) -> None:
    stream = Living(noise(40, 40, 3, seed=i) for i in range(43))
    save_motion(tmp_path / "m.safetensors", stream, animator(weights), faces=True)
    assert stream.most <= 18
    motion = load_motion(tmp_path / "m.safetensors")
    assert motion.faces is not None
    assert motion.faces.points.shape == (43, NUM_POINTS, 3)
    assert motion.faces.mouths.shape == (43, 24, 48, 3)
    assert motion.landmarks.shape == (43, 68, 2)
    assert np.isnan(motion.landmarks).all()


def test_face_boxes_come_from_a_stream() -> None:
    """One frame is held, and the last is looked at though it is no fifth one."""
    stream = Living(noise(64, 64, 3, seed=i) for i in range(23))
    assert face_box_union(stream, mtcnn()) == (None, "no face found")
    assert stream.passed == 23
    assert stream.most <= 3


def test_the_encoder_holds_no_frames(tmp_path: Path) -> None:
    stream = Living(noise(32, 32, 3, seed=i) for i in range(60))
    assert write_video(tmp_path / "a.mp4", stream, Fraction(25), crf=23) == 60
    assert stream.most <= 3


def test_the_result_moves_when_its_driver_moves(weights: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "face.png", noise(32, 32, 3))
    pictures, ticks = noise(6, 32, 32, 3, seed=1), (0, 33, 67, 100, 200, 350)
    encode(tmp_path / "phone.mkv", pictures, ticks=ticks, tick_s=Fraction(1, 1000))
    out = tmp_path / "out.mp4"
    animate_file(tmp_path / "face.png", tmp_path / "phone.mkv", out, config_of(weights))
    times = frame_times(out)
    assert [round(1000 * float(t * times.time_base)) for t in times.ticks] == list(ticks)


def test_frames_without_a_face_hold_the_pose_before_them() -> None:
    value = torch.arange(6.0).reshape(6, 1, 1).repeat(1, 10, 2)
    keypoints = Keypoints(value, torch.eye(2).repeat(6, 10, 1, 1))
    points = np.arange(6, dtype=np.float16).repeat(NUM_POINTS * 3).reshape(6, NUM_POINTS, 3)
    points[[0, 1, 3]] = np.nan
    faces = Faces(points, np.zeros((6, 1, 1, 3), np.uint8), np.arange(6, dtype=np.float32))
    held = DrivingMotion(keypoints, faces).held()
    assert held.keypoints.value[:, 0, 0].tolist() == [2, 2, 2, 2, 4, 5]
    assert held.faces is not None
    assert held.faces.points[:, 5, 1].tolist() == [2, 2, 2, 2, 4, 5]
    assert held.faces.light.tolist() == [2, 2, 2, 2, 4, 5]
    for unknown in (None, faces._replace(points=np.full_like(points, np.nan))):
        assert DrivingMotion(keypoints, unknown).held().keypoints is keypoints


def test_a_driver_that_begins_black_holds_the_pose_and_says_so(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    portrait = Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    face = np.asarray(portrait.convert("RGB").crop((120, 60, 420, 360)).resize((128, 128)))
    write_image(tmp_path / "face.png", face)
    driver, out = tmp_path / "black.mp4", tmp_path / "out.mp4"
    encode(driver, [np.zeros_like(face)] * 2 + [np.roll(face, 4 * i, axis=1) for i in range(3)])
    animate_file(tmp_path / "face.png", driver, out, config_of(weights))
    said = "".join(capsys.readouterr()).replace("\n", " ")
    assert "black.mp4: 2 of 5 frames show no face; the last pose is held there" in said
    made = read_frames(out).astype(int)
    assert np.abs(made[:3] - made[2]).mean() < 3  # the pose of the first face is the source's
    assert np.abs(made[4] - made[2]).mean() > 6


def test_memory_does_not_grow_with_the_driver(weights: Path, tmp_path: Path) -> None:
    """40 more frames of 96 KB would be 3.8 MB, were they held."""
    source = tmp_path / "s.png"
    write_image(source, noise(64, 64, 3))
    picture = noise(192, 172, 3)
    peaks = []
    for count in (20, 60):
        driving = tmp_path / f"d{count}.mp4"
        frames = (np.roll(picture, i, 1) for i in range(count))
        write_video(driving, frames, Fraction(25), crf=40)
        gc.collect()
        tracemalloc.start()
        done = animate_file(source, driving, tmp_path / f"o{count}.mp4", config_of(weights))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert done.num_frames == count
    assert peaks[1] - peaks[0] < 1_500_000


def test_the_driver_is_looked_at_once(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its keypoints are in the cache: the driver's picture alone no longer matters."""
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "people"
    for name in ("a.png", "b.png"):
        write_image(folder / name, noise(40, 40, 3, seed=ord(name[0])))
    driving = tmp_path / "d.mp4"
    write_video(driving, noise(6, 48, 48, 3), Fraction(25), crf=18)
    config = config_of(weights, cache=True)
    made, failed = animate_folder(folder, driving, tmp_path / "out", config)
    assert [m.path.name for m in made] == ["a.mp4", "b.mp4"]
    assert failed == []
    kept = list((tmp_path / "cache" / "motion").iterdir())
    assert len(kept) == 1
    # another motion under the same key shows that it is read, not found again
    save_motion(kept[0], noise(6, 48, 48, 3, seed=9), animator(weights))
    again = animate_file(folder / "a.png", driving, tmp_path / "again.mp4", config)
    fresh = animate_file(folder / "a.png", driving, tmp_path / "f.mp4", config_of(weights))
    first = read_frames(tmp_path / "out" / "a.mp4")
    assert np.array_equal(first, read_frames(fresh.path))
    assert not np.array_equal(first, read_frames(again.path))


def test_no_failure_of_one_source_stops_the_others_but_a_full_disk_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        write_image(tmp_path / "people" / f"{name}.png", noise(8, 8, 3))
    write_video(tmp_path / "d.mp4", noise(1, 16, 16, 3), Fraction(25), crf=40)
    failing: dict[str, BaseException] = {"a": MemoryError(), "b": OSError(13, "no leave")}

    def label(path: Path, *_: object) -> str:
        if path.stem in failing:
            raise failing[path.stem]
        return "made"

    def write(source: object, driver: object, out: Path, *_: object) -> str:
        return out.name

    stubs: dict[str, object] = {
        "look_at": lambda *_: SimpleNamespace(indices=range(1)),
        "check_driver": lambda *_: None,
        "motion_model": lambda _: SimpleNamespace(size=32),
    }
    for function, stub in stubs.items():
        monkeypatch.setattr(files, function, stub)
    monkeypatch.setattr(files, "_label", label)
    monkeypatch.setattr(files, "_write", write)
    arguments = (tmp_path / "people", tmp_path / "d.mp4", tmp_path / "out", config_of(tmp_path))
    made, failed = files.animate_folder(*arguments)
    assert made == ["c.mp4"]
    assert failed[0] == f"{tmp_path}/people/a.png: MemoryError:"
    assert failed[1] == f"{tmp_path}/people/b.png: PermissionError: [Errno 13] no leave"
    for error in (OSError(28, "full"), KeyboardInterrupt()):
        failing["b"] = error
        with pytest.raises(type(error)):
            files.animate_folder(*arguments)


def test_a_cache_that_is_damaged_or_cannot_be_written_does_not_stop_the_work(
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    write_video(tmp_path / "d.mp4", noise(2, 40, 40, 3), Fraction(25), crf=18)
    looked = []
    save = drivers.save_motion
    monkeypatch.setattr(drivers, "save_motion", lambda *a, **k: (looked.append(1), save(*a, **k)))
    config = config_of(weights, cache=True, backend="torch")

    def look() -> np.ndarray:
        with progress_bar() as bar:
            driver = drivers.look_at(tmp_path / "d.mp4", config, bar)
        return driver.motion.keypoints.value.numpy()

    first = look()
    assert np.array_equal(look(), first)
    assert len(looked) == 1
    (kept,) = (tmp_path / "cache" / "motion").glob("*.safetensors")
    kept.write_bytes(kept.read_bytes()[:100])
    assert np.array_equal(look(), first)
    assert f"{kept} is damaged" in capsys.readouterr().err
    assert np.array_equal(look(), first)
    assert len(looked) == 2  # the damaged file was replaced
    tensors = load_file(kept)
    nan = torch.full_like(tensors["value"], float("nan"))
    for changes in (
        {"value": nan},
        {"value": tensors["value"][:, :1].clone()},
        {"points": tensors["points"][:1].clone()},
        {name: tensor[:1].clone() for name, tensor in tensors.items()},
        {name: tensor.half() for name, tensor in tensors.items()},
        {"more": torch.zeros(1)},
    ):
        save_file({**tensors, **changes}, kept)
        assert np.array_equal(look(), first)
        assert f"{kept} is damaged" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "cache" / "motion")
    (tmp_path / "cache" / "motion").write_text("where the folder should be")
    assert np.array_equal(look(), first)
    assert "the driver's keypoints are not kept" in capsys.readouterr().err


# What is asked for beside one face and one result


def portrait(size: int = 128) -> np.ndarray:
    picture = Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    return np.asarray(picture.convert("RGB").crop((100, 20, 460, 380)).resize((size, size)))


def shifted(face: np.ndarray, count: int) -> list[np.ndarray]:
    return [np.roll(face, 2 * i, axis=1) for i in range(count)]


def test_a_stretch_of_the_driver_is_as_if_it_were_cut(weights: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "s.png", noise(32, 32, 3))
    pictures, ticks = noise(6, 32, 32, 3, seed=1), (0, 33, 67, 100, 200, 350)
    encode(tmp_path / "d.mkv", pictures, ticks=ticks, tick_s=Fraction(1, 1000))
    made = {}
    for name, more in (("all", {}), ("part", {"start_s": 0.06, "end_s": 0.3})):
        out = tmp_path / f"{name}.mp4"
        config = config_of(weights, motion="absolute", **more)
        made[name] = animate_file(tmp_path / "s.png", tmp_path / "d.mkv", out, config)
    assert (made["part"].num_frames, made["part"].reference) == (4, 1)
    whole, part = (read_frames(one.path).astype(int) for one in made.values())
    assert np.abs(part - whole[1:5]).mean() < 8  # compressed from other neighbours
    times = frame_times(made["part"].path)
    assert [round(1000 * float(t * times.time_base)) for t in times.ticks] == [0, 34, 67, 167]
    for more, said in (({"start_s": 0.5}, "--start 0.5 lies behind its end"),
                       ({"end_s": 0.6}, "--end 0.6 lies behind its end")):  # fmt: skip
        with pytest.raises(InputError, match=rf"d\.mkv: {said}"):
            animate_file(tmp_path / "s.png", tmp_path / "d.mkv", out, config_of(weights, **more))


def test_stretches_of_one_length_are_not_mixed_up_in_the_cache(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    write_video(tmp_path / "d.mp4", noise(6, 32, 32, 3), Fraction(25), crf=18)
    found = []
    with progress_bar() as bar:
        for start_s, end_s in ((0.0, 0.12), (0.12, 0.24), (0.0, 0.12)):
            config = config_of(weights, cache=True, start_s=start_s, end_s=end_s)
            driver = drivers.look_at(tmp_path / "d.mp4", config, bar)
            found.append(driver.motion.keypoints.value)
    assert torch.equal(found[0], found[2])
    assert found[0].shape == found[1].shape
    assert not torch.equal(found[0], found[1])


def test_frames_as_png_with_the_label_or_nothing(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "people"
    for name in ("a.png", "b.png"):
        write_image(folder / name, noise(32, 32, 3, seed=ord(name[0])))
    write_video(tmp_path / "d.mp4", noise(3, 32, 32, 3), Fraction(25), crf=18)
    config = config_of(weights, frames=tmp_path / "frames")
    arguments = (folder, tmp_path / "d.mp4", tmp_path / "out", config)
    made, failed = animate_folder(*arguments)
    assert not failed
    assert [one.frames for one in made] == [tmp_path / "frames" / "a", tmp_path / "frames" / "b"]
    found = sorted((tmp_path / "frames" / "a").iterdir())
    assert [p.name for p in found] == ["000000.png", "000001.png", "000002.png"]
    grey = [np.asarray(Image.fromarray(read_frames(made[0].path)[2]).convert("L"), int)]
    grey += [np.asarray(Image.open(path).convert("L"), int) for path in found]
    assert np.argmin([np.abs(one - grey[0]).mean() for one in grey[1:]]) == 2
    assert np.abs(grey[3] - grey[0]).mean() < 8
    assert "AI-generated: a.png moved as d.mp4" in Image.open(found[0]).text["Comment"]
    # a folder that is missing is made anew, with its clip
    shutil.rmtree(tmp_path / "frames" / "b")
    made, _ = animate_folder(*arguments)
    assert [one.path.name for one in made] == ["b.mp4"]
    single = replace(config, frames=tmp_path / "frames" / "a")
    with pytest.raises(InputError, match="a: holds something; expected a new folder"):
        animate_file(folder / "a.png", tmp_path / "d.mp4", tmp_path / "a.mp4", single)
    with pytest.raises(InputError, match="lies in the folder of sources"):
        animate_folder(*arguments[:3], replace(config, frames=folder / "frames"))
    same = replace(config, frames=tmp_path / "a.mp4")
    with pytest.raises(InputError, match="is also the folder of --frames"):
        animate_file(folder / "a.png", tmp_path / "d.mp4", tmp_path / "a.mp4", same)

    # Ctrl-C within the work leaves neither
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_image", stop)
    fresh = replace(config, frames=tmp_path / "fresh")
    with pytest.raises(KeyboardInterrupt):
        animate_file(folder / "a.png", tmp_path / "d.mp4", tmp_path / "new" / "a.mp4", fresh)
    assert not list((tmp_path / "new").iterdir())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.mp4", "frames", "new", "out", "people"]


def test_a_face_is_put_back_into_its_picture_beside_another(weights: Path, tmp_path: Path) -> None:
    face = portrait()
    picture = np.full((171, 321, 3), 90, np.uint8)  # odd sides
    picture[20:148, 10:138], picture[20:148, 180:308] = face, face[:, ::-1]
    write_image(tmp_path / "two.png", picture)
    write_video(tmp_path / "d.mp4", shifted(portrait(64), 3), Fraction(25), crf=18)
    for number, other in ((1, slice(160, None)), (2, slice(0, 150))):
        config = config_of(
            weights, crop=True, paste_back=True, source_face=number, motion="absolute",
            frames=tmp_path / f"frames{number}",
        )  # fmt: skip
        made = animate_file(tmp_path / "two.png", tmp_path / "d.mp4", tmp_path / "o.mp4", config)
        assert read_frames(made.path).shape == (3, 170, 320, 3)
        last = np.asarray(Image.open(tmp_path / f"frames{number}" / "000002.png"))
        assert last.shape == picture.shape
        assert np.array_equal(last[:, other], picture[:, other])
        assert np.abs(last.astype(int) - picture).max() > 30  # the chosen face moved
    wrong = replace(config, source_face=3, frames=None)
    with pytest.raises(InputError, match=r"two\.png: --source-face 3; expected 1 to 2"):
        animate_file(tmp_path / "two.png", tmp_path / "d.mp4", tmp_path / "o.mp4", wrong)


def test_a_video_is_animated_frame_by_frame(weights: Path, tmp_path: Path) -> None:
    """Source frames are those shown at the driver's times; it ends when the shorter one does."""
    pictures = noise(4, 32, 32, 3, seed=2)
    write_video(tmp_path / "s.mp4", pictures, Fraction(10), crf=1)
    write_video(tmp_path / "d.mp4", noise(12, 32, 32, 3), Fraction(25), crf=18)
    config = config_of(weights, frame_by_frame=True, frames=tmp_path / "frames")
    made = animate_file(tmp_path / "s.mp4", tmp_path / "d.mp4", tmp_path / "o.mp4", config)
    assert made.num_frames == 10  # 0.4 s of the driver
    assert made.fps == 25
    frames = [np.asarray(Image.open(p)) for p in sorted((tmp_path / "frames").iterdir())]
    model, driving = animator(weights), read_frames(tmp_path / "d.mp4")
    keypoints = model.keypoints(driving)
    sources = read_frames(tmp_path / "s.mp4")
    for index in (0, 4, 9):  # at 0, 0.16 and 0.36 s
        source = model.encode(sources[index * 10 // 25])
        expected = model.animate(source, keypoints, "relative")[index]
        assert np.array_equal(frames[index], expected)
    write_image(tmp_path / "p.png", pictures[0])
    with pytest.raises(InputError, match=r"p\.png: is a photo; expected a video for --frame-by-f"):
        animate_file(
            tmp_path / "p.png", tmp_path / "d.mp4", tmp_path / "x.mp4", replace(config, frames=None)
        )


def test_a_source_of_frames_is_read_as_it_goes(weights: Path) -> None:
    model, driving = animator(weights), noise(40, 32, 32, 3)
    keypoints = model.keypoints(driving)
    still = noise(32, 32, 3, seed=1)
    for motion in ("relative", "absolute", "relative_scaled"):
        expected = model.animate(model.encode(still), keypoints, motion, 3)
        made = np.stack(list(model.follow([still] * 40, keypoints, motion, 3)))
        assert np.array_equal(made, expected)
    stream = Living(noise(32, 32, 3, seed=i) for i in range(30))
    assert len(list(model.follow(stream, keypoints))) == 30
    assert stream.most <= 3


def test_the_driver_s_sound_is_kept_on_request(weights: Path, tmp_path: Path) -> None:
    driver = filmed(tmp_path / "d.mkv")
    write_image(tmp_path / "s.png", noise(32, 32, 3))
    made = {}
    for sound in (False, True):
        config = config_of(weights, sound=sound, start_s=0.6, end_s=1.4)
        out = tmp_path / f"{sound}.mp4"
        made[sound] = animate_file(tmp_path / "s.png", driver, out, config)
        assert has_sound(out) is sound
    assert beep_of(made[True].path)[0] == pytest.approx(0.2, abs=0.01)
    assert read_comment(made[True].path) != read_comment(made[False].path)
    write_video(tmp_path / "still.mp4", noise(3, 32, 32, 3), Fraction(25), crf=18)
    silent = config_of(weights, sound=True)
    with pytest.raises(InputError, match=r"still\.mp4: has no sound; expected a driver with sound"):
        animate_file(tmp_path / "s.png", tmp_path / "still.mp4", tmp_path / "x.mp4", silent)


def test_what_is_not_asked_for_is_not_in_the_label() -> None:
    """So outputs of earlier versions are known again, and a folder's work goes on."""
    times = FrameTimes((0, 1, 2), Fraction(1, 25), Fraction(25), False, True)
    for indices, asked in ((range(3), {}), (range(1, 3), {"stretch": (1, 3)})):
        driver = drivers.Driver(Path("d"), "", times, indices, None, "")  # type: ignore[arg-type]
        assert files._asked(driver, AnimateConfig()) == asked


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"start_s": -1.0}, "--start -1; expected seconds, 0 or more"),
        ({"end_s": float("nan")}, "--end nan; expected seconds"),
        ({"start_s": 2.0, "end_s": 1.0}, "--end 1; expected more than --start 2"),
        ({"source_face": 0}, "--source-face 0; expected 1 or more"),
        ({"source_face": 1, "crop": False}, "--source-face 1; expected 1 or more, without --no-cr"),
        ({"paste_back": True, "crop": False}, "--paste-back needs the crop"),
        ({"frame_by_frame": True, "source_frame": 1}, "--frame-by-frame takes all frames"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        AnimateConfig(**settings)  # type: ignore[arg-type]
