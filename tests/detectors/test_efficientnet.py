"""EfficientNet-Lite0: its published size, TensorFlow's padding, and its ImageNet head."""

import numpy as np
import pytest
import torch
from PIL import Image

from dfmnist.core.published_weights import PUBLISHED
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.networks.efficientnet import EfficientNetLite0, SameConv2d

PALACE, DAISY = 698, 985
"""ImageNet classes."""


def test_it_has_the_published_number_of_parameters() -> None:
    network = EfficientNetLite0(num_classes=1000)
    assert sum(p.numel() for p in network.parameters()) == 4_652_008


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 2, 8), (5, 2, 7), (3, 1, 6), (5, 1, 9)])
def test_padding_is_tensorflows_same(kernel: int, stride: int, side: int) -> None:
    layer = SameConv2d(1, 1, kernel, stride)
    with torch.no_grad():
        layer.weight.fill_(1)
    made = layer(torch.ones(1, 1, side, side))
    count = -(-side // stride)
    assert made.shape[-2:] == (count, count)
    total = max((count - 1) * stride + kernel - side, 0)
    before = total // 2  # the odd pixel lies at the end
    inside = [sum(0 <= i * stride - before + k < side for k in range(kernel)) for i in range(count)]
    assert torch.equal(made[0, 0], torch.tensor(np.outer(inside, inside), dtype=torch.float32))


def test_its_imagenet_head_names_a_palace_and_a_daisy() -> None:
    path = PUBLISHED["efficientnet_lite0"].path
    if not path.is_file():
        pytest.skip("`dfmnist fetch efficientnet_lite0` was not run")
    from sklearn.datasets import load_sample_images

    network = build("efficientnet_lite0", path, num_classes=1000)
    for picture, expected in zip(load_sample_images().images, (PALACE, DAISY), strict=True):
        side = min(picture.shape[:2])
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        square = Image.fromarray(picture[top : top + side, left : left + side])
        frame = np.asarray(square.resize((224, 224), Image.Resampling.BICUBIC))
        images = network.normalise(torch.from_numpy(frame.copy()).permute(2, 0, 1)[None])
        with torch.no_grad():
            assert int(network(images)[0].argmax()) == expected
