"""One person's face is followed among others, or refused for the true reason."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from dfmnist.core.errors import InputError
from dfmnist.faces.crop import crop_clip, moving_crop
from dfmnist.faces.follow import Crowd, FaceTrack, chosen_face, follow_face
from dfmnist.faces.mtcnn import Detections, Mtcnn, mtcnn

Image8 = npt.NDArray[np.uint8]
SIDE, WIDTH = 40, 400


def face_picture(seed: int) -> Image8:
    """A picture that is like no other seed's."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


FACES = {seed: face_picture(seed) for seed in (1, 2)}


class Placed(Mtcnn):
    """A detector that is told where the faces of each frame are."""

    def __init__(self, places: list[dict[int, int]]) -> None:
        self._left = iter([list(p.values()) for p in places])

    def detect(self, image_rgb_u8: Image8) -> Detections:
        boxes = [(x, 10, x + SIDE, 10 + SIDE) for x in next(self._left)]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.ones(len(boxes), np.float32),
            np.zeros((len(boxes), 5, 2), np.float32),
        )


def scene(places: list[dict[int, int]]) -> list[Image8]:
    """Frames in which each face (a seed) stands at its left edge; the last one hides the others."""
    frames = []
    for place in places:
        frame = np.full((60, WIDTH, 3), 90, np.uint8)
        for seed, x in place.items():
            frame[10 : 10 + SIDE, x : x + SIDE] = FACES[seed]
        frames.append(frame)
    return frames


def follow(places: list[dict[int, int]], face: int | None = None) -> FaceTrack:
    return follow_face(scene(places), Placed(places), face=face)


def lefts(track: FaceTrack) -> list[int | None]:
    return [None if box is None else int(box[0]) for box in track.boxes]


def crossing() -> list[dict[int, int]]:
    """Face 1 walks to the right, face 2 to the left; where they meet, face 1 hides face 2."""
    places = []
    for i in range(11):
        right, left = 30 * i, 300 - 30 * i
        places.append({1: right} if abs(right - left) < SIDE else {2: left, 1: right})
    return places


def test_two_people_who_cross_keep_their_names() -> None:
    walk = [30 * i for i in range(11)]
    assert lefts(follow(crossing(), face=1)) == walk
    other = lefts(follow(crossing(), face=2))
    assert other == [None if i == 5 else 300 - x for i, x in enumerate(walk)]


def test_twins_are_told_apart_by_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FACES, 2, FACES[1])
    other = lefts(follow(crossing(), face=2))
    assert other[4:] in ([180, 150, *range(120, -1, -30)], [180, None, *range(120, -1, -30)])


def test_a_face_that_is_somewhat_alike_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = 0.3 * FACES[1] + 0.7 * FACES[2]
    monkeypatch.setitem(FACES, 2, mixed.astype(np.uint8))
    assert lefts(follow([{1: 100}] * 3 + [{2: 100}] * 2)) == [100] * 3 + [None] * 2


def test_the_face_that_is_asked_for() -> None:
    found = Detections(
        np.array([[50, 0, 90, 40], [0, 0, 20, 20], [100, 0, 150, 50]], np.float32),
        np.array([0.9, 0.8, 0.7], np.float32),
        np.zeros((3, 5, 2), np.float32),
    )
    assert [chosen_face(found, n) for n in (None, 1, 2, 3)] == [2, 1, 0, 2]
    for face in (0, 4):
        with pytest.raises(InputError, match=rf"--face {face}; expected 1 to 3: .* 3 faces"):
            chosen_face(found, face)


def test_a_face_that_walks_is_seen_throughout_and_refused_for_its_way() -> None:
    track = follow([{1: 36 * i} for i in range(11)])
    assert len(track.seen) == 11
    assert track.too_seldom == ""
    assert track.too_far == "the face moves too far: over 10.0 times its own size"
    assert follow([{1: 5 * i} for i in range(11)]).too_far == ""


def test_a_face_that_jumps_is_the_same_face() -> None:
    track = follow([{1: 0}] * 5 + [{1: 300}] * 5)
    assert len(track.seen) == 10
    assert track.too_far == "the face jumps too far: over 8.5 times its own size"


def test_a_cut_to_another_person_is_no_movement() -> None:
    track = follow([{1: 100}] * 6 + [{2: 100}] * 5)
    assert lefts(track) == [100] * 6 + [None] * 5
    assert track.too_seldom == "face seen in only 6 of 11 frames looked at, another one in 5"


def test_frames_without_a_face_are_known() -> None:
    places: list[dict[int, int]] = [{}, {}, {1: 10}, {1: 10}, {}, {1: 30}]
    track = follow(places)
    assert track.seen == (2, 3, 5)
    assert (track.others, track.too_seldom) == (0, "face seen in only 3 of 6 frames looked at")
    assert follow([{}, {}]).too_seldom == "no face found"
    assert track.followed()[:, 0].tolist() == [10, 10, 10, 10, 20, 30]


def test_a_square_that_moves_with_the_face() -> None:
    places = [{1: 36 * i} for i in range(8)]
    cut = moving_crop(np.stack(scene(places)), follow(places), size=48)
    assert cut.shape == (8, 48, 48, 3)
    assert np.abs(cut[1:-1].astype(int) - cut[1]).mean() < 3  # edges differ


def test_one_square_that_would_hold_little_face_is_refused() -> None:
    places = [{1: 0}] * 3 + [{1: 300}] * 3
    faces, info = crop_clip(np.stack(scene(places)), Placed(places[::5]))
    assert faces is None
    assert "too far" in info.reason


def test_a_face_that_fills_the_picture_is_found(portrait: Image8, no_face: Image8) -> None:
    left, top, right, bottom = mtcnn().detect(portrait).boxes_xyxy[0].astype(int)
    tight = portrait[top + 25 : bottom - 25, left + 20 : right - 20]
    found = mtcnn().detect(tight)
    assert len(found) == 1
    middle = found.boxes_xyxy[0].reshape(2, 2).mean(0) / tight.shape[1::-1]
    assert np.abs(middle - 0.5).max() < 0.15
    assert found.boxes_xyxy[0, 2] - found.boxes_xyxy[0, 0] > 0.9 * tight.shape[1]
    assert found.points[0, 2] / tight.shape[1::-1] == pytest.approx([0.5, 0.5], abs=0.2)  # nose
    assert len(mtcnn().detect(no_face)) == 0


def test_a_crowd_keeps_everybodys_number() -> None:
    places = crossing()
    crowd, detector = Crowd(), Placed(places)
    found = [crowd.look(frame, detector.detect(frame)) for frame in scene(places)]
    assert crowd.count == 2
    for place, numbers in zip(places, found, strict=True):
        first = sorted(places[0], key=places[0].__getitem__)  # numbered from left to right
        assert numbers == [first.index(seed) for seed in place]


def test_a_crowd_numbers_somebody_new_and_knows_who_comes_back() -> None:
    places = [{1: 20}, {1: 22, 2: 200}, {2: 202}, {1: 26, 2: 204}]
    crowd, detector = Crowd(), Placed(places)
    found = [crowd.look(frame, detector.detect(frame)) for frame in scene(places)]
    assert found == [[0], [0, 1], [1], [0, 1]]
