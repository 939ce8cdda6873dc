"""Rendering and filming: the face is where the truth says, and equal jobs give equal bytes."""

import json
from pathlib import Path

import numpy as np
import pytest

from dfmnist.actors.film import FilmJob, film, is_complete, truth_paths
from dfmnist.actors.identity import HAIR_STYLES, sample_identity
from dfmnist.actors.performance import perform
from dfmnist.actors.render import Renderer
from dfmnist.actors.truth import locate, point_names
from dfmnist.core.actions import Action
from dfmnist.media.video import probe, read_frames

SIZE = 96
SEED = 300_003


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(SIZE)


def job(folder: Path, action: Action | None = Action.YAW, frames: int = 4) -> FilmJob:
    return FilmJob(SEED, action, 7, frames, folder / "clip.mp4", SIZE)


def test_identities_are_repeatable_and_unlike() -> None:
    assert sample_identity(5) == sample_identity(5)
    assert sample_identity(5) != sample_identity(6)
    styles = {sample_identity(s).hair.style for s in range(80)}
    assert styles == set(HAIR_STYLES)


def test_the_face_is_rendered_where_the_truth_says(renderer: Renderer) -> None:
    identity = sample_identity(SEED)
    (frame,) = renderer.frames(identity, perform(Action.SMILE, 1), [0])
    stage = renderer.stage(identity)
    found, _, _, box = locate(stage.view, stage.body, frame.posed)
    behind = (stage.backdrop * 255).astype(int)
    changed = np.abs(frame.image.astype(int) - behind).max(2) > 12
    rows = np.nonzero(changed)[0]
    assert abs(rows.min() - box[1]) < 0.08 * SIZE  # hair stands a little above the skull
    for name in ("nose_tip", "cheek_left", "cheek_right", "chin", "forehead"):
        x, y = found[point_names().index(name)]
        assert changed[int(y), int(x)], name
    x0, y0, x1, y1 = box.astype(int)
    assert changed[y0:y1, x0:x1].mean() > 0.6
    assert not changed[: SIZE // 20].any()
    height = found[point_names().index("chin")][1] - rows.min()
    assert 0.4 * SIZE < height < 0.62 * SIZE


def test_the_pupils_are_dark_where_the_truth_has_them() -> None:
    identity, larger = sample_identity(SEED), Renderer(256)
    (frame,) = larger.frames(identity, perform(Action.NOD, 2), [0])
    stage = larger.stage(identity)
    found = locate(stage.view, stage.body, frame.posed)[0]
    for name in ("pupil_left", "pupil_right"):
        x, y = found[point_names().index(name)].astype(int)
        assert frame.image[y - 1 : y + 2, x - 1 : x + 2].min() < 70


def test_closing_the_eyes_changes_only_the_face(renderer: Renderer) -> None:
    identity = sample_identity(SEED)
    performance = perform(Action.BLINK, 4)
    shut = int(performance.facial["eyeBlinkLeft"].argmax())
    first, second = renderer.render(identity, performance, [0, shut]).astype(int)
    assert (np.abs(first - second).max(2) > 20).sum() > 4
    assert np.array_equal(first[-10:, :8], second[-10:, :8])  # the shoulder is still


def test_the_same_job_gives_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for name in ("a", "b"):
        path = film(job(tmp_path / name))
        scalars, arrays = truth_paths(path)
        results.append([p.read_bytes() for p in (path, scalars, arrays)])
    assert results[0] == results[1]


def test_the_state_of_the_renderer_does_not_leak_into_the_next_clip(renderer: Renderer) -> None:
    identity, performance = sample_identity(SEED), perform(Action.OPEN_MOUTH, 3)
    fresh = Renderer(SIZE).render(identity, performance, [20])
    renderer.render(identity, performance, [0, 30])
    renderer.render(sample_identity(SEED + 1), performance, [5])
    assert np.array_equal(renderer.render(identity, performance, [20]), fresh)


def test_a_clip_its_truth_and_resuming(tmp_path: Path) -> None:
    asked = job(tmp_path, action=None, frames=5)
    assert not is_complete(asked)
    path = film(asked)
    info = probe(path)
    assert (info.width, info.height, info.fps) == (SIZE, SIZE, 25)
    assert len(read_frames(path)) == 5
    scalars, arrays = truth_paths(path)
    known = json.loads(scalars.read_text())
    assert known["identity_seed"] == SEED
    assert known["action"] == "random"
    assert set(known["landmarks2d"]) == set(point_names())
    assert all(np.shape(v) == (5, 2) for v in known["landmarks2d"].values())
    with np.load(arrays) as truth:
        assert truth["points"].shape == (5, len(point_names()), 2)
        assert truth["jacobians"].shape == (5, len(point_names()), 2, 2)
        assert truth["facial"].shape == (5, 52)
        assert np.allclose(truth["pose_deg"][:, 0], known["pose"]["yaw_deg"], atol=1e-3)
    written = path.stat().st_mtime_ns
    film(asked)
    assert path.stat().st_mtime_ns == written
    assert not is_complete(FilmJob(SEED, None, 8, 5, path, SIZE))  # another performance
    scalars.unlink()  # killed before the end: the JSON is written last
    assert not is_complete(asked)
