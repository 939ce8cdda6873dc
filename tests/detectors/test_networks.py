"""Networks: published counts, the authors' weights, seeded initialisation, honest loading."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dfmnist.core.errors import InputError
from dfmnist.detectors.networks import builders
from dfmnist.detectors.networks.load import load_weights
from dfmnist.detectors.networks.mesonet import MesoNet

torch.set_num_threads(1)


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_mesonets_have_the_published_number_of_parameters() -> None:
    """Afchar et al., section 3: the ResNets and Xception are in test_public_weights.py."""
    with torch.device("meta"):
        assert count(MesoNet(inception=True)) == 28_615
        assert count(MesoNet(inception=False)) == 27_977


@pytest.mark.parametrize(
    ("name", "size_px"),
    [("resnet50", 64), ("xception", 64), ("mesoinception4", 64), ("meso4", 96)],
)
def test_build_gives_one_logit_a_frame_from_the_seed_alone(name: str, size_px: int) -> None:
    first = builders.build(name, seed=3, size_px=size_px)
    torch.rand(7)  # the global generator must not matter
    again, other = (builders.build(name, seed=s, size_px=size_px) for s in (3, 4))
    frames = torch.randint(0, 256, (2, 3, size_px, size_px), dtype=torch.uint8)
    images = first.normalise(frames)
    with torch.no_grad():
        logits = first(images)
        assert logits.shape == (2,)
        assert torch.isfinite(logits).all()
        assert torch.equal(logits, again(images))
        assert not torch.equal(logits, other(images))


def test_last_stride_doubles_the_maps_and_keeps_the_parameters() -> None:
    images = torch.zeros(1, 3, 64, 64)
    nets = [builders.build("resnet50", size_px=64, last_stride=s) for s in (2, 1)]
    with torch.no_grad():
        assert [n.feature_maps(images).shape[-1] for n in nets] == [2, 4]
    assert nets[0].state_dict().keys() == nets[1].state_dict().keys()


@pytest.mark.parametrize(
    "version", ["MesoInception_DF", "MesoInception_F2F", "Meso4_DF", "Meso4_F2F"]
)
def test_mesonet_reproduces_the_authors_outputs(version: str, shared: Path) -> None:
    weights = shared / "data" / "weights" / "mesonet" / f"{version}.h5"
    reference = json.loads((shared / "reference" / "mesonet_outputs.json").read_text())
    frames = np.load(shared / "reference" / "fomm" / "parity_seed0.npz")
    stack = np.concatenate([frames["source"][None], frames["driving"]])
    name = "mesoinception4" if "Inception" in version else "meso4"
    network = builders.build(name, weights)
    with torch.no_grad():
        logits = network(network.normalise(torch.from_numpy(stack).permute(0, 3, 1, 2)))
    p_real = torch.sigmoid(-logits).numpy()
    np.testing.assert_allclose(p_real, reference["values"][version], atol=2e-5)


def test_imagenet_checkpoint_keeps_our_head_and_says_so(tmp_path: Path) -> None:
    options = {"size_px": 64, "num_classes": 7}
    torch.save(builders.build("resnet50", seed=1, **options).state_dict(), tmp_path / "in.pth")
    network = builders.build("resnet50", seed=2, size_px=64)
    head = network.fc.weight.clone()
    assert load_weights(network, tmp_path / "in.pth") == "all but the head"
    assert torch.equal(network.fc.weight, head)
    other = builders.build("resnet50", seed=1, size_px=64)
    assert torch.equal(network.layer3[2].conv2.weight, other.layer3[2].conv2.weight)


def test_unfit_weights_are_refused_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "weights.pth"
    text.write_text("not weights")
    torch.save({"layer9.weight": torch.zeros(1)}, tmp_path / "other.pth")
    for path, said in ((text, "cannot be read"), (tmp_path / "other.pth", "lacks"),
                       (tmp_path / "none.pth", "no such file")):  # fmt: skip
        with pytest.raises(InputError, match=said) as error:
            builders.build("mesoinception4", path)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="expected one of"):
        builders.build("vgg")
