"""One person's face through the frames of a clip, among other faces and after a jump.

A face is known again by its place, its size and its look. Its place is expected where its last
movement carries it, so that two people who cross keep their names. Frames that do not show it are
kept as such, since they tell a face that is missing from one that moves too far.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

from dfmnist.core.arrays import Floats32, RgbImage
from dfmnist.core.errors import InputError
from dfmnist.core.text import plural
from dfmnist.faces.mtcnn import Detections, Mtcnn

LOOK_PX = 12
"""Side in pixels of the picture by which a face's look is compared."""
MAX_STRANGENESS = 2.0
"""Largest sum of distance (in sides of the face), change of size (in octaves) and four times the
change of look (1 less the correlation) with which a face is the same. Measured in looks 0.2 s
apart: a correlation of 0.73 and more for one person who turns, nods or speaks, 0.3 to 0.8, mostly,
for two people."""
FAR = 0.8
"""Largest part that the distance has in that sum: after a cut a face may be anywhere."""
FORGET = 20
"""Number of looks after which somebody who is not followed and not seen is forgotten."""
MAX_SPREAD = 2.5
"""Largest side of the box around all places of a face, in sides of the face."""
LARGE = 0.5
"""Smallest side of a second face that counts as company, in sides of the face followed."""
MIN_SEEN = 0.8
"""Smallest share of the searched frames that must show the face."""


@dataclass(frozen=True)
class FaceTrack:
    """The places of one person's face in the frames of a clip that were searched."""

    boxes: tuple[Floats32 | None, ...]
    """The box (4,) in pixels in each searched frame; None where the face is not seen."""
    others: int
    """Number of frames that show faces, but not this one."""
    company: int = 0
    """Number of searched frames that show, beside this face, one at least half as large."""

    @property
    def seen(self) -> tuple[int, ...]:
        """Indices of the searched frames that show the face."""
        return tuple(i for i, box in enumerate(self.boxes) if box is not None)

    @property
    def union(self) -> Floats32 | None:
        """The box (4,) around all places of the face; None without a face."""
        if not self.seen:
            return None
        stack = np.stack(self._known())
        return np.concatenate([stack[:, :2].min(axis=0), stack[:, 2:].max(axis=0)])

    @property
    def side(self) -> float:
        """Median of the longer side of the face's boxes in pixels; there must be a face."""
        return float(np.median([(box[2:] - box[:2]).max() for box in self._known()]))

    @property
    def spread(self) -> float:
        """The longer side of `union` in sides of the face: 1 for a face that does not move."""
        union = self.union
        assert union is not None
        return float((union[2:] - union[:2]).max()) / self.side

    def followed(self) -> Floats32:
        """Boxes (n, 4), one for each searched frame: between two places the way is straight."""
        every = np.arange(len(self.boxes))
        ways = [np.interp(every, self.seen, axis) for axis in np.stack(self._known()).T]
        return np.stack(ways, axis=1).astype(np.float32)

    @property
    def too_seldom(self) -> str:
        """The reason why the face is not seen often enough; empty if it is."""
        seen, looked = len(self.seen), len(self.boxes)
        if not seen:
            return "no face found"
        if seen >= MIN_SEEN * looked:
            return ""
        text = f"face seen in only {seen} of {looked} frames looked at"
        return text + (f", another one in {self.others}" if self.others else "")

    @property
    def too_far(self) -> str:
        """The reason why one fixed box cannot hold the face; empty if it can."""
        if self.spread <= MAX_SPREAD:
            return ""
        jumps = max((_distance(a, b) for a, b in pairwise(self._known())), default=0.0)
        how = "jumps" if jumps > self.spread / 2 else "moves"
        return f"the face {how} too far: over {self.spread:.1f} times its own size"

    def _known(self) -> list[Floats32]:
        return [box for box in self.boxes if box is not None]


def follow_face(
    frames_rgb_u8: Iterable[RgbImage], mtcnn: Mtcnn, every: int = 1, face: int | None = None
) -> FaceTrack:
    """Follow one person's face through frames (h, w, 3), of which one is held at a time.

    It is searched in every `every`-th frame and in the last. It is the largest face of the first
    frame that shows one, or with `face` the one at this place, counted from 1 from left to right.
    Raises `InputError` if that frame has fewer faces.
    """
    scene = _Scene(face)
    unseen: RgbImage | None = None
    for index, frame in enumerate(frames_rgb_u8):
        unseen = None if index % every == 0 else frame
        if unseen is None:
            scene.look(frame, mtcnn.detect(frame))
    if unseen is not None:  # the last frame
        scene.look(unseen, mtcnn.detect(unseen))
    return FaceTrack(tuple(scene.boxes), scene.others, scene.company)


def chosen_face(found: Detections, face: int | None) -> int | None:
    """The index of the largest face, or of the `face`-th from the left, counted from 1.

    None without a face. Raises `InputError` if there are fewer.
    """
    if face is None or not len(found):
        return found.largest()
    if not 1 <= face <= len(found):
        raise InputError(
            f"--face {face}; expected 1 to {len(found)}: "
            f"the first frame with a face shows {plural(len(found), 'face')}"
        )
    middles = found.boxes_xyxy[:, [0, 2]].mean(axis=1)
    return int(np.argsort(middles, kind="stable")[face - 1])


class _Scene:
    """All people seen so far: who is known is not taken for the one who is followed."""

    def __init__(self, face: int | None) -> None:
        self.boxes: list[Floats32 | None] = []
        """Places of the one who is followed."""
        self.others = 0
        self.company = 0
        self._face = face
        self._people: list[_Person] = []
        """Everybody; the first is the one who is followed."""

    def look(self, frame: RgbImage, found: Detections) -> None:
        """Assign the faces `found` in the next frame to people; new faces are new people."""
        now = len(self.boxes)
        looks = [_look(frame, box) for box in found.boxes_xyxy]
        owners = _owners(self._people, found.boxes_xyxy, looks, now)
        if not self._people and (first := chosen_face(found, self._face)) is not None:
            self._people.append(_Person(now, found.boxes_xyxy[first], looks[first]))
            owners[first] = self._people[0]
        for owner, box, look in zip(owners, found.boxes_xyxy, looks, strict=True):
            if owner is None:
                self._people.append(_Person(now, box, look))
            else:
                owner.see(now, box, look)
        followed = self._people[0] if self._people else None
        seen = followed is not None and followed.at == now
        self.boxes.append(followed.box if followed and seen else None)
        self.others += not seen and len(found) > 0
        if followed and seen:
            sides = (found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]).max(axis=1)
            own = float((followed.box[2:] - followed.box[:2]).max())
            self.company += int((sides >= LARGE * own).sum()) > 1
        self._people = [p for p in self._people if p is followed or now - p.at < FORGET]


class Crowd:
    """Everybody who is seen in a video's frames, each under a number of their own.

    People are known again as `follow_face` knows the one whom it follows.
    """

    def __init__(self) -> None:
        self.count = 0
        """Number of people seen so far; their numbers are 0 to `count` less 1."""
        self._now = -1
        self._people: list[_Person] = []
        self._numbers: dict[_Person, int] = {}

    def look(self, frame: RgbImage, found: Detections) -> list[int]:
        """The number of the person of each face of `found`, the faces in the next frame (h, w, 3).

        New people are numbered from left to right.
        """
        self._now += 1
        looks = [_look(frame, box) for box in found.boxes_xyxy]
        owners = _owners(self._people, found.boxes_xyxy, looks, self._now)
        order = np.argsort(found.boxes_xyxy[:, [0, 2]].mean(axis=1), kind="stable")
        numbers = [-1] * len(owners)
        for index in order.tolist():
            box, look, owner = found.boxes_xyxy[index], looks[index], owners[index]
            if owner is None:
                owner = _Person(self._now, box, look)
                self._people.append(owner)
                self._numbers[owner] = self.count
                self.count += 1
            else:
                owner.see(self._now, box, look)
            numbers[index] = self._numbers[owner]
        self._people = [p for p in self._people if self._now - p.at < FORGET]
        self._numbers = {p: self._numbers[p] for p in self._people}
        return numbers


def _owners(
    people: "list[_Person]", boxes: Floats32, looks: list[Floats32], now: int
) -> "list[_Person | None]":
    """Whose each face is, of the `people` known so far; None for somebody new."""
    owners: list[_Person | None] = [None] * len(boxes)
    if not people or not len(boxes):
        return owners
    strange = np.array(
        [[p.strangeness(*face, now) for face in zip(boxes, looks, strict=True)] for p in people]
    )
    for person, face in zip(*linear_sum_assignment(strange), strict=True):
        if strange[person, face] <= MAX_STRANGENESS:
            owners[face] = people[person]
    return owners


class _Person:
    def __init__(self, now: int, box: Floats32, look: Floats32) -> None:
        self.at, self.box = now, box
        self._step: Floats32 = np.zeros(2, np.float32)
        """Movement from one look to the next, in pixels."""
        self._looks = (look, look)
        """How the face looked when it was first seen, and when it was last seen."""

    def see(self, now: int, box: Floats32, look: Floats32) -> None:
        """The face was found in the box (4,) of look `now`."""
        if now > self.at:
            moved = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / (2 * (now - self.at))
            self._step = np.asarray(moved, np.float32)
        self.at, self.box, self._looks = now, box, (self._looks[0], look)

    def strangeness(self, box: Floats32, look: Floats32, now: int) -> float:
        """How unlike this person a face is in place, size and look; see `MAX_STRANGENESS`."""
        gone = now - self.at
        sides = [float((b[2:] - b[:2]).max()) for b in (box, self.box)]
        expected = self.box + np.tile(self._step * gone, 2)
        distance = min(_distance(box, expected), _distance(box, self.box)) / gone
        likeness = max(float(np.vdot(look, known)) for known in self._looks)
        return min(FAR, distance) + abs(float(np.log2(sides[0] / sides[1]))) + 4 * (1 - likeness)


def _distance(a: Floats32, b: Floats32) -> float:
    """Distance between the middles of two boxes, in the mean of their longer sides."""
    sides = [(box[2:] - box[:2]).max() for box in (a, b)]
    return float(np.hypot(*((a[:2] + a[2:] - b[:2] - b[2:]) / 2)) / np.mean(sides))


def _look(frame: RgbImage, box: Floats32) -> Floats32:
    """The picture in `box`, tiny and of mean 0 and length 1, so that products are correlations."""
    height, width = frame.shape[:2]
    left, top = np.clip(box[:2], 0, (width - 2, height - 2)).astype(int)
    right, bottom = np.clip(box[2:], (left + 2, top + 2), (width, height)).astype(int)
    cut = Image.fromarray(frame[top:bottom, left:right])
    small = cut.resize((LOOK_PX, LOOK_PX), Image.Resampling.BOX)
    values = np.asarray(small, np.float32).ravel()
    values = values - values.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-6), np.float32)
