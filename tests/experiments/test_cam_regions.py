"""Shares of activation by region: made masks, a network whose look is known, whole datasets."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from dfmnist.actors.identity import sample_identity
from dfmnist.actors.performance import perform
from dfmnist.actors.render import Renderer
from dfmnist.core.actions import Action
from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file, write_json
from dfmnist.dataset.manifest import Clip, clip_file_name, write_manifest
from dfmnist.detectors.cam import evidence
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks import builders
from dfmnist.detectors.networks.base import Detector
from dfmnist.experiments.cam_figure import cam_figure
from dfmnist.experiments.cam_regions import (
    as_markdown,
    frame_shares,
    region_shares,
    regions_by_action,
)
from dfmnist.faces.mesh import Mesh, face_mesh
from dfmnist.faces.regions import REGIONS, region_labels
from dfmnist.media.video import Quality, write_video

SIZE = 128
ACTIONS = (Action.OPEN_MOUTH, Action.LOOK_UP)
Frames = np.ndarray


@pytest.fixture(scope="module")
def actor() -> dict[Action, Frames]:
    """Three frames (3, 128, 128, 3) of one actor for each of two actions."""
    renderer, identity = Renderer(SIZE), sample_identity(400_002)
    return {
        action: renderer.render(identity, perform(action, 400_000), (0, 20, 25))
        for action in ACTIONS
    }


@pytest.fixture(scope="module")
def mesh(actor: dict[Action, Frames]) -> Mesh:
    found = face_mesh()(actor[Action.OPEN_MOUTH][0], with_eyes=False)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def dataset(actor: dict[Action, Frames], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fakes of two actions by two people in raw and c40; one clip of a wall, without a face."""
    root = tmp_path_factory.mktemp("dataset")
    wall = np.full((3, SIZE, SIZE, 3), 90, np.uint8)
    clips = []
    for person, action, frames in (
        ("a", Action.OPEN_MOUTH, actor[Action.OPEN_MOUTH]),
        ("a", Action.LOOK_UP, actor[Action.LOOK_UP]),
        ("b", Action.OPEN_MOUTH, actor[Action.OPEN_MOUTH][::-1]),
        ("b", Action.SMILE, wall),
    ):
        clip_id = f"{person}-{action.value}"
        for quality in (Quality.RAW, Quality.C40):
            name = clip_file_name(clip_id, quality)
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            write_video(root / name, frames, Fraction(25), crf=quality.crf)
            clips.append(
                Clip(
                    file_name=name,
                    clip_id=clip_id,
                    label="fake",
                    action=action,
                    quality=quality,
                    split="test",
                    source_id=person,
                    source_frame=0,
                    driver_id="d",
                    take=0,
                    generator="test@0",
                    seed=1,
                    screening=(),
                    fps="25",
                    num_frames=3,
                    width=SIZE,
                    height=SIZE,
                    sha256=sha256_file(root / name),
                    licence="CC0-1.0",
                    consent="none needed",
                )
            )
    write_manifest(root, clips)
    return root


def brightness_seeker(size_px: int) -> Detector:
    """A Meso-4 whose evidence for FAKE grows with brightness, and nothing else."""
    network = builders.build("meso4", size_px=size_px)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "conv" in name:
                parameter.fill_(0.0)
        for conv in ("conv1.0", "conv2.0", "conv3", "conv4"):
            weight = network.get_submodule(conv).weight
            weight[:, :, weight.shape[2] // 2, weight.shape[3] // 2] = 1 / weight.shape[1]
        network.get_submodule("fc1").weight.fill_(1)
        network.get_submodule("fc2").weight.fill_(1)
    return network


@pytest.fixture(scope="module")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a finished run's folder around a network."""

    def write(network: Detector, quality: str = "raw") -> Path:
        folder = tmp_path_factory.mktemp("runs") / f"{network.name}-{quality}-0123456789ab"
        config = TrainConfig(network=network.name, quality=quality, size_px=network.size_px)
        write_json(folder / "config.json", plain(config))
        state = {k: v.contiguous() for k, v in network.state_dict().items()}
        save_file(state, folder / "weights.safetensors")
        write_json(folder / "run.json", {"initialisation": "made by hand"})
        return folder

    return write


def test_made_masks_have_the_shares_that_they_are_made_of(mesh: Mesh) -> None:
    labels = region_labels(mesh, (SIZE, SIZE))
    for index, region in enumerate(REGIONS):
        shares = region_shares((labels == index)[None].astype(np.float32), [mesh])
        assert shares[region] == pytest.approx(1)
        assert sum(shares.values()) == pytest.approx(1)
    area = region_shares(np.ones((1, SIZE, SIZE)), [mesh])
    assert area["mouth"] == pytest.approx((labels == 0).mean())
    assert sum(area.values()) == pytest.approx(1)
    weights = np.array([8.0, 4.0, 2.0, 1.0, 1.0, 0.5])
    shares = region_shares(weights[labels][None], [mesh])
    total = sum(w * area[r] for w, r in zip(weights, REGIONS, strict=True))
    for weight, region in zip(weights, REGIONS, strict=True):
        assert shares[region] == pytest.approx(weight * area[region] / total)


def test_every_frame_counts_the_same_and_what_shows_nothing_is_left_out(mesh: Mesh) -> None:
    labels = region_labels(mesh, (SIZE, SIZE))
    mouth, neck = (
        (labels == REGIONS.index(region)).astype(np.float32) for region in ("mouth", "neck")
    )
    maps = np.stack([100 * mouth - 50 * neck, neck, mouth, -mouth])  # below 0 speaks for real
    shares = region_shares(maps, [mesh, mesh, None, mesh])
    assert shares["mouth"] == pytest.approx(0.5)
    assert shares["neck"] == pytest.approx(0.5)
    assert np.isnan(frame_shares(maps, [mesh, mesh, None, mesh])[2:]).all()
    assert all(np.isnan(v) for v in region_shares(maps[:1], [None]).values())
    with pytest.raises(ValueError, match="4 maps and 1 meshes"):
        region_shares(maps, [mesh])


def test_meshes_are_in_the_pixels_of_the_maps(mesh: Mesh) -> None:
    labels = region_labels(mesh, (SIZE, SIZE))
    mouth = np.kron(labels == REGIONS.index("mouth"), np.ones((2, 2)))[None]
    twice = replace(mesh, points=2 * mesh.points)
    assert region_shares(mouth, [twice])["mouth"] > 0.9
    assert region_shares(mouth, [mesh])["mouth"] < 0.5


def test_a_network_that_seeks_brightness_finds_what_is_bright(
    actor: dict[Action, Frames], mesh: Mesh
) -> None:
    frame = actor[Action.OPEN_MOUTH][0]
    labels = region_labels(mesh, (SIZE, SIZE))
    network = brightness_seeker(SIZE)
    for region in ("mouth", "eyes", "neck", "background"):  # those without another one inside
        painted = (frame * 0.1).astype(np.uint8)
        painted[labels == REGIONS.index(region)] = 255
        maps = evidence(network, painted[None])
        shares, area = region_shares(maps, [mesh]), region_shares(np.ones_like(maps), [mesh])
        most = max(shares, key=lambda r: shares[r] / area[r])
        assert most == region, shares


def test_a_table_by_action(dataset: Path, run_of: Callable[..., Path]) -> None:
    run = run_of(brightness_seeker(64))
    table = regions_by_action(dataset, run, frames_per_clip=3, quiet=True)
    assert table["action"].unique(maintain_order=True).to_list() == [
        "open_mouth", "look_up", "smile", "all",
    ]  # fmt: skip
    seen = table.filter(pl.col("action") != "smile")
    for (action,), rows in seen.group_by("action"):
        assert rows["region"].to_list() == list(REGIONS), action
        assert rows["share"].sum() == pytest.approx(1)
        assert rows["area"].sum() == pytest.approx(1)
        assert (rows["low"] <= rows["share"] + 1e-9).all()
        assert (rows["share"] <= rows["high"] + 1e-9).all()
    facts = {r["action"]: r for r in table.filter(pl.col("region") == "mouth").to_dicts()}
    mouth = facts["open_mouth"]
    assert (mouth["frames"], mouth["left_out"], mouth["clips"], mouth["people"]) == (6, 0, 2, 2)
    assert (facts["smile"]["frames"], facts["smile"]["left_out"]) == (0, 3)
    assert np.isnan(facts["smile"]["share"])
    assert facts["all"]["frames"] == 9
    assert mouth["times_area"] == pytest.approx(mouth["share"] / mouth["area"])
    again = regions_by_action(dataset, run, frames_per_clip=3, quiet=True)
    assert table.equals(again, null_equal=True)
    text = as_markdown(table)
    assert text.startswith("| Action | Mouth | Eyes | Face | Outline | Neck | Background | Frames")
    assert "| Smile | – | – | – | – | – | – | 0 (3 left out) |" in text
    assert f"| Open mouth | {100 * mouth['share']:.0f}% ({mouth['times_area']:.1f}×) |" in text


def test_what_cannot_be_looked_at(dataset: Path, run_of: Callable[..., Path]) -> None:
    run = run_of(brightness_seeker(64))
    for options, said in (
        ({"split": "train"}, "holds no fake train clips in raw"),
        ({"label": "real"}, "holds no real test clips"),
        ({"quality": "c99"}, "--quality is 'c99'"),
    ):
        with pytest.raises(InputError, match=said):
            regions_by_action(dataset, run, quiet=True, **options)
        figure_options = {k: [v] if k == "quality" else v for k, v in options.items()}
        if "quality" in figure_options:
            figure_options["qualities"] = figure_options.pop("quality")
        with pytest.raises(InputError):
            cam_figure(dataset, [run], dataset / "no.png", **figure_options)
    assert not (dataset / "no.png").exists()
    with pytest.raises(InputError, match="no run for Figure 7"):
        cam_figure(dataset, [], dataset / "no.png")
    with pytest.raises(InputError, match=r"run\.json"):
        cam_figure(dataset, [dataset], dataset / "no.png")


def test_figure7_has_an_action_a_row_and_a_detector_a_column(
    dataset: Path, run_of: Callable[..., Path], actor: dict[Action, Frames], tmp_path: Path
) -> None:
    runs = [run_of(builders.build("resnet50", size_px=64)), run_of(brightness_seeker(64), "mixed")]
    out = cam_figure(dataset, runs, tmp_path / "figure7.png", side_px=96)
    page = np.asarray(Image.open(out))
    step, tall, left, top = 96 + 8, 96 + 18 + 8, 118, 2 * 18 + 8
    assert page.shape == (top + 3 * tall + 2 * 18 + 8, left + 3 * step + 8, 3)
    for row, action in enumerate(ACTIONS):
        y = top + row * tall
        tiles = [page[y : y + 96, left + c * step : left + c * step + 96] for c in range(3)]
        frame = np.asarray(Image.fromarray(actor[action][1]).resize((96, 96)))
        assert np.abs(tiles[0].astype(int) - frame).mean() < 6  # the middle frame, encoded
        for tile in tiles[1:]:
            assert np.abs(tile.astype(int) - tiles[0]).mean() > 10
        assert np.abs(tiles[1].astype(int) - tiles[2]).mean() > 5
    wide = cam_figure(dataset, runs[:1], tmp_path / "two.png", qualities=("raw", "c40"), side_px=96)
    assert Image.open(wide).size == (left + 3 * step + 8, page.shape[0])
