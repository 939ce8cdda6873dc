"""Regions of a face: every pixel in one, named points in the right one, real faces and actors."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.actors.identity import sample_identity
from dfmnist.actors.performance import Performance
from dfmnist.actors.render import Renderer
from dfmnist.actors.truth import locate, point_names
from dfmnist.faces.mesh import Mesh, face_mesh
from dfmnist.faces.regions import REGIONS, region_labels

SIZE = 256


@pytest.fixture(scope="module")
def photo(portrait: npt.NDArray[np.uint8]) -> Mesh:
    mesh = face_mesh()(portrait, with_eyes=False)
    assert mesh is not None
    return mesh


def region_at(labels: npt.NDArray[np.uint8], xy: npt.NDArray[np.floating]) -> str:
    """The region that holds the point (corner origin)."""
    return REGIONS[labels[int(xy[1]), int(xy[0])]]


def areas(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return np.bincount(labels.ravel(), minlength=len(REGIONS)) / labels.size


def test_named_points_of_a_photo(photo: Mesh) -> None:
    labels = region_labels(photo, (600, 512))
    assert labels.shape == (600, 512)
    for point, region in ((13, "mouth"), (61, "mouth"), (159, "eyes"), (386, "eyes"), (105, "eyes"),
                          (4, "face"), (9, "face"), (50, "face"), (10, "outline"),
                          (152, "outline"), (234, "outline"), (454, "outline")):  # fmt: skip
        assert region_at(labels, photo.points[point]) == region, point
    chin = photo.points[152]
    assert region_at(labels, chin[:2] + np.array([0, 60])) == "neck"
    for corner in ((0, 0), (0, -1), (300, 0), (300, -1)):
        assert REGIONS[labels[corner]] == "background"
    assert (areas(labels) > 0.005).all()


def test_regions_grow_with_the_face(photo: Mesh) -> None:
    half = replace(photo, points=photo.points / 2)
    np.testing.assert_allclose(
        areas(region_labels(half, (300, 256))), areas(region_labels(photo, (600, 512))), atol=2e-3
    )


def test_regions_turn_with_the_head_but_the_neck_stays_below(photo: Mesh) -> None:
    straight = region_labels(photo, (600, 512))
    points = photo.points.copy()
    centre, angle = points[:, :2].mean(0), np.deg2rad(30)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points[:, :2] = (points[:, :2] - centre) @ turn + centre
    turned = region_labels(replace(photo, points=points), (600, 512))
    for region in ("mouth", "eyes", "face"):
        index = REGIONS.index(region)
        here, there = (np.argwhere(lab == index).mean(0)[::-1] for lab in (straight, turned))
        np.testing.assert_allclose(there, (here - centre) @ turn + centre, atol=4)
    below = np.argwhere(turned == REGIONS.index("neck"))
    assert below[:, 0].max() == 599
    assert abs(below[:, 1].mean() - centre[0]) < 60


def test_a_face_at_the_edge_of_the_picture_is_cut(photo: Mesh) -> None:
    points = photo.points - photo.points.mean(0)
    labels = region_labels(replace(photo, points=points), (200, 200))
    assert REGIONS[labels[0, 0]] in ("face", "eyes", "mouth")
    gone = region_labels(replace(photo, points=photo.points + 5000), (50, 60))
    assert (gone == REGIONS.index("background")).all()


POSES = ({}, {"jawOpen": 0.8}, {"yaw": 25.0}, {"pitch": 15.0}, {"roll": 20.0})


@pytest.mark.parametrize("seed", [200_001, 200_004])
def test_where_an_actors_own_points_lie(seed: int) -> None:
    """The renderer knows where lips, eyes, chin and ears are, in five poses."""
    tracks = {k: np.array([p.get(k, 0.0) for p in POSES]) for k in ("yaw", "pitch", "roll")}
    performance = Performance(
        yaw_deg=tracks["yaw"],
        pitch_deg=tracks["pitch"],
        roll_deg=tracks["roll"],
        facial={"jawOpen": np.array([p.get("jawOpen", 0.0) for p in POSES])},
        gaze_deg=np.zeros((len(POSES), 2)),
        sway_m=np.zeros((len(POSES), 3)),
        action="test",
        seed=0,
    )
    renderer, identity = Renderer(SIZE), sample_identity(seed)
    stage = renderer.stage(identity)
    wanted = {
        "mouth": ("lip_upper_outer", "lip_upper_inner", "lip_lower_inner", "mouth_left",
                  "mouth_right"),
        "eyes": ("pupil_left", "pupil_right", "eye_left_upper", "eye_right_upper",
                 "brow_left_mid", "brow_right_mid"),
        "face": ("nose_tip", "nose_bridge", "nostril_left", "nostril_right"),
    }  # fmt: skip
    for frame in renderer.frames(identity, performance):
        mesh = face_mesh()(frame.image, with_eyes=False)
        assert mesh is not None
        labels = region_labels(mesh, (SIZE, SIZE))
        xy = dict(zip(point_names(), locate(stage.view, stage.body, frame.posed)[0], strict=True))
        for region, names in wanted.items():
            found = {name: region_at(labels, xy[name]) for name in names}
            assert set(found.values()) == {region}, (frame.rotation_deg, found)
        for name in ("chin", "jaw_right"):  # the left side is hidden in a turned head
            assert region_at(labels, xy[name]) in ("outline", "face"), (frame.rotation_deg, name)
        assert region_at(labels, xy["head_top"]) in ("outline", "background")
