"""MTCNN face detector in PyTorch, with the authors' weights.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", 2016: P-Net proposes boxes on an image pyramid, R-Net and O-Net refine them.
Weights and thresholds are those of the Python package `mtcnn` 1.0.0 (MIT; the notice is
`weights/mtcnn.LICENSE`), its arrays transposed for PyTorch.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from dfmnist.core.arrays import Floats32, RgbImage
from dfmnist.core.errors import InputError

WEIGHTS = Path(__file__).parent / "weights" / "mtcnn.safetensors"
"""The weights of all three networks, part of this package."""
PYRAMID_STEP = 0.709
"""Factor between the scales of the image pyramid."""
CELL_PX = 12
"""Side in pixels of the area that P-Net judges."""
STRIDE_PX = 2
"""Distance in pixels between areas that P-Net judges."""
MAX_SIDE_PX = 8192
"""Longest side of a picture that is searched at its full size; a longer one takes gigabytes."""
FILLED_MARGIN = 0.3
"""Margin of the second search around a picture, as a share of its longer side."""
FILLED_FACE = 0.5
"""Smallest face of the second search, as a share of the picture's shorter side."""
THRESHOLDS = (0.6, 0.7, 0.8)
"""Smallest face probability that P-Net, R-Net and O-Net must give."""


@dataclass(frozen=True)
class Detections:
    """The faces found in one image, the most certain first."""

    boxes_xyxy: Floats32
    """Boxes (n, 4) in pixels; they may exceed the image."""
    scores: Floats32
    """Face probability (n,)."""
    points: Floats32
    """Points (n, 5, 2) in pixels, as seen in the image: left eye, right eye, nose, left and right
    corner of the mouth."""

    def __len__(self) -> int:
        return len(self.scores)

    def largest(self) -> int | None:
        """The index of the largest face; None without a face."""
        if not len(self):
            return None
        sides = self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2]
        return int(np.argmax(sides.prod(axis=1)))


class _Net(nn.Module):
    """One of the three networks: a convolutional trunk with its outputs, face probability last."""

    def __init__(self, trunk: nn.Sequential, heads: list[nn.Module]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleList(heads)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.trunk(x)
        out = [head(x) for head in self.heads]
        out[-1] = out[-1].softmax(dim=1)[:, 1]
        return out


class _FlattenByColumn(nn.Module):
    """Flattening from (b, c, h, w) to (b, w·h·c), the order in which the weights were trained."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 2, 1).flatten(1)


def _conv(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel), nn.PReLU(outputs)]


def _pool(kernel: int, *, same: bool) -> nn.Module:
    return nn.MaxPool2d(kernel, 2, ceil_mode=same)  # TensorFlow's "same" pads at the far end only


def _p_net() -> _Net:
    layers = [*_conv(3, 10, 3), _pool(2, same=True), *_conv(10, 16, 3), *_conv(16, 32, 3)]
    return _Net(nn.Sequential(*layers), [nn.Conv2d(32, 4, 1), nn.Conv2d(32, 2, 1)])


def _r_net() -> _Net:
    layers = [*_conv(3, 28, 3), _pool(3, same=True), *_conv(28, 48, 3), _pool(3, same=False)]
    layers += [*_conv(48, 64, 2), _FlattenByColumn(), nn.Linear(576, 128), nn.PReLU(128)]
    return _Net(nn.Sequential(*layers), [nn.Linear(128, 4), nn.Linear(128, 2)])


def _o_net() -> _Net:
    layers = [*_conv(3, 32, 3), _pool(3, same=True), *_conv(32, 64, 3), _pool(3, same=False)]
    layers += [*_conv(64, 64, 3), _pool(2, same=True), *_conv(64, 128, 2), _FlattenByColumn()]
    layers += [nn.Linear(1152, 256), nn.PReLU(256)]
    return _Net(nn.Sequential(*layers), [nn.Linear(256, 4), nn.Linear(256, 10), nn.Linear(256, 2)])


def _load(net: _Net, name: str) -> _Net:
    """`net` with the tensors of `WEIGHTS` whose names begin with `name`, ready for inference."""
    own = {k: v for k, v in load_file(WEIGHTS).items() if k.startswith(f"{name}.")}
    net.load_state_dict({k.removeprefix(f"{name}."): v for k, v in own.items()})
    return net.eval().requires_grad_(False)


class Mtcnn:
    """The MTCNN face detector. It is thread-safe and deterministic."""

    def __init__(self, min_face_px: int = 40) -> None:
        """`min_face_px` is the size of the smallest face that is found; a larger one is faster."""
        if min_face_px < CELL_PX:
            raise InputError(f"min_face_px is {min_face_px}; expected at least {CELL_PX}")
        self.min_face_px = min_face_px
        self._p = _load(_p_net(), "pnet")
        self._r = _load(_r_net(), "rnet")
        self._o = _load(_o_net(), "onet")

    def detect(self, image_rgb_u8: RgbImage) -> Detections:
        """The faces in one image (h, w, 3), the most certain first; possibly none.

        A face that fills the picture beyond its edges is found in a second search, with a margin
        around the picture. A picture of more than `MAX_SIDE_PX` is searched at a fraction of its
        size.
        """
        if max(image_rgb_u8.shape[:2]) > MAX_SIDE_PX:
            return self._reduced(image_rgb_u8)
        found = self._search(image_rgb_u8)
        if len(found):
            return found
        margin = int(max(image_rgb_u8.shape[:2]) * FILLED_MARGIN)
        wide = np.pad(image_rgb_u8, ((margin, margin), (margin, margin), (0, 0)), "edge")
        around = self._search(wide, min(image_rgb_u8.shape[:2]) * FILLED_FACE)
        shifted = around.boxes_xyxy - np.float32(margin), around.points - np.float32(margin)
        return Detections(shifted[0], around.scores, shifted[1])

    def _reduced(self, image_rgb_u8: RgbImage) -> Detections:
        """The faces in a picture that is searched at 1/2, 1/3, … of its size."""
        height, width = image_rgb_u8.shape[:2]
        step = -(-max(height, width) // MAX_SIDE_PX)
        small = np.asarray(Image.fromarray(image_rgb_u8).reduce(step))
        found = self.detect(small)
        scale_xy = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
        boxes = found.boxes_xyxy * np.tile(scale_xy, 2)
        return Detections(boxes, found.scores, found.points * scale_xy)

    def _search(self, image_rgb_u8: RgbImage, min_face_px: float = 0) -> Detections:
        with torch.inference_mode():
            boxes = self._propose(image_rgb_u8, max(self.min_face_px, min_face_px))
            boxes = self._refine(image_rgb_u8, boxes)
            return self._output(image_rgb_u8, boxes)

    def _propose(self, image: RgbImage, min_face_px: float) -> Floats32:
        height, width = image.shape[:2]
        picture = Image.fromarray(image)
        scale = CELL_PX / min_face_px
        found: list[Floats32] = []
        while min(height, width) * scale >= CELL_PX:
            size_wh = (max(CELL_PX, round(width * scale)), max(CELL_PX, round(height * scale)))
            small = np.asarray(picture.resize(size_wh, Image.Resampling.BOX))
            offsets, probability = self._p(_to_tensor(small[None]))
            boxes = _cells(offsets[0].numpy(), probability[0].numpy(), THRESHOLDS[0])
            boxes[:, :4] *= np.tile([width / size_wh[0], height / size_wh[1]], 2)
            found.append(boxes[_nms(boxes, 0.5)])
            scale *= PYRAMID_STEP
        if not found:
            return np.zeros((0, 5), np.float32)
        boxes = np.concatenate(found)
        return _square(boxes[_nms(boxes, 0.7)])

    def _refine(self, image: RgbImage, boxes: Floats32) -> Floats32:
        if not len(boxes):
            return boxes
        offsets, probability = self._r(_patches(image, boxes, 24))
        boxes = _moved(boxes, offsets.numpy(), probability.numpy())
        boxes = boxes[boxes[:, 4] > THRESHOLDS[1]]
        return _square(boxes[_nms(boxes, 0.7)])

    def _output(self, image: RgbImage, boxes: Floats32) -> Detections:
        if not len(boxes):
            empty = np.zeros((0,), np.float32)
            return Detections(empty.reshape(0, 4), empty, empty.reshape(0, 5, 2))
        offsets, marks, probability = self._o(_patches(image, boxes, 48))
        sides = boxes[:, 2:4] - boxes[:, :2]
        points = marks.numpy().reshape(-1, 2, 5).transpose(0, 2, 1)
        points = boxes[:, None, :2] + points * sides[:, None]
        boxes = _moved(boxes, offsets.numpy(), probability.numpy())
        kept = np.flatnonzero(boxes[:, 4] > THRESHOLDS[2])
        kept = kept[_nms(boxes[kept], 0.7, of_smaller=True)]
        return Detections(boxes[kept, :4], boxes[kept, 4], points[kept].astype(np.float32))


@functools.lru_cache(maxsize=4)
def mtcnn(min_face_px: int = 40) -> Mtcnn:
    """The detector of this process for this face size, loaded once."""
    return Mtcnn(min_face_px)


def _to_tensor(images: RgbImage) -> Tensor:
    """Images (n, h, w, 3) of 0..255 as a tensor (n, 3, h, w) of about -1..1."""
    value = torch.from_numpy(np.array(images, np.float32)).permute(0, 3, 1, 2)
    return (value - 127.5) / 128.0


def _cells(offsets: Floats32, probability: Floats32, threshold: float) -> Floats32:
    """Boxes (n, 5) of P-Net's areas above `threshold`: x1, y1, x2, y2, score."""
    rows, columns = np.nonzero(probability > threshold)
    corner = np.stack([columns, rows], axis=1).astype(np.float32) * STRIDE_PX
    boxes = np.concatenate([corner, corner + CELL_PX], axis=1)
    boxes += offsets[:, rows, columns].T * CELL_PX
    return np.concatenate([boxes, probability[rows, columns, None]], axis=1)


def _moved(boxes: Floats32, offsets: Floats32, scores: Floats32) -> Floats32:
    sides = boxes[:, 2:4] - boxes[:, :2]
    moved = boxes[:, :4] + offsets * np.tile(sides, 2)
    return np.concatenate([moved, scores[:, None]], axis=1)


def _square(boxes: Floats32) -> Floats32:
    """Squares with the centres of `boxes` and the length of their longer side."""
    centres = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centres - half, centres + half, boxes[:, 4:]], axis=1)


def _nms(boxes: Floats32, threshold: float, *, of_smaller: bool = False) -> npt.NDArray[np.intp]:
    """The indices of boxes that no better box overlaps by more than `threshold`, best first.

    Overlap is the shared area over the union, or over the smaller box with `of_smaller`.
    """
    order = np.argsort(-boxes[:, 4], kind="stable")
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        near = np.maximum(boxes[best, :2], boxes[rest, :2])
        far = np.minimum(boxes[best, 2:4], boxes[rest, 2:4])
        shared = np.clip(far - near, 0, None).prod(axis=1)
        if of_smaller:
            whole = np.minimum(area[best], area[rest])
        else:
            whole = area[best] + area[rest] - shared
        order = rest[shared <= threshold * whole]
    return np.array(kept, dtype=np.intp)


def _patches(image: RgbImage, boxes: Floats32, size: int) -> Tensor:
    """The squares cut out of the image, resized to (n, 3, size, size); outside it is black."""
    height, width = image.shape[:2]
    low = np.floor(boxes[:, :2].min(axis=0)).astype(int)
    high = np.ceil(boxes[:, 2:4].max(axis=0)).astype(int)
    left, top = (max(0, -int(v)) for v in low)
    right, bottom = max(0, int(high[0]) - width), max(0, int(high[1]) - height)
    canvas = Image.fromarray(np.pad(image, ((top, bottom), (left, right), (0, 0))))
    shifted = boxes[:, :4] + np.array([left, top, left, top], np.float32)
    limit = np.array(canvas.size * 2, np.float32)
    cut = [
        np.asarray(canvas.resize((size, size), Image.Resampling.BILINEAR, box=tuple(b)))
        for b in np.clip(shifted, 0, limit).tolist()
    ]
    return _to_tensor(np.stack(cut))
