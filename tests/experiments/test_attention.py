"""Shares of activation by region: made masks, a network whose look is known, whole datasets."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from dfmnist import recipes
from dfmnist.actors.identity import sample_identity
from dfmnist.actors.performance import perform
from dfmnist.actors.render import Renderer
from dfmnist.core.actions import Action
from dfmnist.core.choices import Quality
from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file, write_json
from dfmnist.dataset.manifest import Clip, Manifest, clip_file_name, read_manifest, write_manifest
from dfmnist.detectors.cam import evidence
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks import builders
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.run import Run, load_run
from dfmnist.experiments.attention import (
    ALL,
    COLUMN_TITLES,
    FIGURE7,
    REGION_TITLES,
    _with_changed,
    changed_pixels,
    draw_maps,
    frame_shares,
    region_cells,
    shown_beside,
)
from dfmnist.experiments.execute import Executed, RunOutcome
from dfmnist.experiments.experiment import Made
from dfmnist.experiments.plan import PlanContext, RunSpec, count_clips
from dfmnist.experiments.render import write_table
from dfmnist.experiments.results import read_result
from dfmnist.faces.mesh import Mesh, face_mesh
from dfmnist.faces.regions import REGIONS, region_labels
from dfmnist.media.video import write_video

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
                    quality=quality.value,
                    split="test",
                    identities=(person, "d"),
                    method="fomm",
                    origin="built",
                    source=person,
                    source_frame=0,
                    driver="d",
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


def region_shares(cam: np.ndarray, meshes: list[Mesh | None]) -> dict[str, float]:
    """The mean share of each region over the frames that show something."""
    return dict(zip(REGIONS, np.nanmean(frame_shares(cam, meshes), axis=0), strict=True))


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


def test_regions_have_titles_in_their_order() -> None:
    assert tuple(REGION_TITLES) == REGIONS


def test_what_shows_nothing_is_left_out(mesh: Mesh) -> None:
    labels = region_labels(mesh, (SIZE, SIZE))
    mouth, neck = (
        (labels == REGIONS.index(region)).astype(np.float32) for region in ("mouth", "neck")
    )
    maps = np.stack([100 * mouth - 50 * neck, neck, mouth, -mouth])  # below 0 speaks for real
    shares = region_shares(maps, [mesh, mesh, None, mesh])
    assert shares["mouth"] == pytest.approx(0.5)
    assert shares["neck"] == pytest.approx(0.5)
    assert np.isnan(frame_shares(maps, [mesh, mesh, None, mesh])[2:]).all()
    assert np.isnan(frame_shares(maps[:1], [None])).all()
    with pytest.raises(ValueError, match="4 maps and 1 meshes"):
        frame_shares(maps, [mesh])


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


def read(dataset: Path, run: Path) -> tuple[Manifest, Run]:
    return read_manifest(dataset), load_run(run)


def test_shares_by_action(dataset: Path, run_of: Callable[..., Path]) -> None:
    manifest, run = read(dataset, run_of(brightness_seeker(64)))
    cells = region_cells(manifest, run, frames_per_clip=3, stamp="smoke")
    rows = list(dict.fromkeys(c.row for c in cells))
    assert rows == ["open_mouth", "look_up", "smile", ALL]
    for row in ("open_mouth", "look_up", ALL):
        mine = [c for c in cells if c.row == row]
        assert [c.column for c in mine] == [*REGIONS, "changed"]
        assert sum(c.value or 0 for c in mine[:-1]) == pytest.approx(1)
        assert sum(c.region.area for c in mine[:-1] if c.region) == pytest.approx(1)
        for cell in mine:
            assert cell.low is not None
            assert cell.high is not None
            assert cell.value is not None
            assert cell.low - 1e-9 <= cell.value <= cell.high + 1e-9
            assert cell.notes == ("smoke",)
    mouth = {c.row: c for c in cells if c.column == "mouth"}
    found = mouth["open_mouth"]
    assert found.region is not None
    assert (found.n, found.groups) == (6, 2)
    assert (found.region.left_out, found.region.clips) == (0, 2)
    assert found.region.times_area == pytest.approx((found.value or 0) / found.region.area)
    assert mouth["smile"].state == "not run"
    assert mouth["smile"].notes == (
        "not run: no face, or no evidence for fake, in its 3 frames",
    )  # fmt: skip
    assert mouth[ALL].n == 9
    assert region_cells(manifest, run, frames_per_clip=3, stamp="smoke") == cells


def test_what_cannot_be_looked_at(dataset: Path, run_of: Callable[..., Path]) -> None:
    manifest, run = read(dataset, run_of(brightness_seeker(64), "c23"))
    with pytest.raises(InputError, match="holds no fake test clips in c23"):
        region_cells(manifest, run)
    with pytest.raises(InputError, match="holds no fake test clip of an action in c23"):
        draw_maps(manifest, [run])


def test_maps_have_an_action_a_row_and_a_detector_a_column(
    dataset: Path, run_of: Callable[..., Path], actor: dict[Action, Frames]
) -> None:
    resnet = run_of(builders.build("resnet50", size_px=64))
    runs = [load_run(p) for p in (resnet, run_of(brightness_seeker(64), "mixed"))]
    rows = draw_maps(read_manifest(dataset), runs, side_px=96)
    assert [r.clip.action for r in rows] == [Action.OPEN_MOUTH, Action.LOOK_UP, Action.SMILE]
    for row, action in zip(rows, ACTIONS, strict=False):
        assert row.clip.source == "a"
        assert row.clip.quality == "raw"
        frame = np.asarray(Image.fromarray(actor[action][1]).resize((96, 96)))
        assert np.abs(row.frame.astype(int) - frame).mean() < 6  # the middle frame, encoded
        first, second = (m.image.astype(int) for m in row.maps)
        for painted in (first, second):
            assert painted.shape == (96, 96, 3)
            assert np.abs(painted - row.frame).mean() > 10
        assert np.abs(first - second).mean() > 5
        assert all(0 <= m.p_fake <= 1 for m in row.maps)
    heavy = [load_run(run_of(brightness_seeker(64), "c40"))]
    assert {r.clip.quality for r in draw_maps(read_manifest(dataset), heavy)} == {"c40"}


def spec(network: str, quality: str = "raw", dataset: str = "ours", **more: object) -> RunSpec:
    return RunSpec(TrainConfig(network=network, quality=quality, size_px=64, **more), dataset)  # type: ignore[arg-type]


def test_other_detectors_are_shown_beside_the_papers() -> None:
    lead = spec("resnet50")
    alike = [spec("resnet101"), spec("mesoinception4"), spec("resnet50", "c40")]
    others = [
        lead, spec("resnet50", "mixed"), spec("resnet101", "c23"), spec("meso4"),
        spec("resnet101", corpus=0.1), spec("resnet101", actions=("yaw",)),
        spec("resnet101", seed=1), spec("resnet101", dataset="another"),
        replace(spec("resnet152"), start=lead),
    ]  # fmt: skip
    found = shown_beside(lead, [alike[2], *others, alike[1], alike[0], alike[0]])
    assert found == alike


def test_figure7_is_frames_above_maps_with_a_tile_for_each(
    dataset: Path, run_of: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = recipes.experiments_smoke()
    manifest = read_manifest(dataset)
    context = PlanContext(
        replace(count_clips("ours", manifest), reals=4, fakes=(("smile", 4),)), recipe
    )
    plan = FIGURE7.plan(context)
    (lead,) = plan.more_runs
    beside = replace(lead, config=replace(lead.config, quality="c40"))
    runs = {
        lead: RunOutcome(run_of(builders.build("resnet50", size_px=64))),
        beside: RunOutcome(run_of(builders.build("resnet50", size_px=64), "c40")),
        replace(lead, config=replace(lead.config, quality="c23")): RunOutcome(None, "failed"),
    }
    made = Made(FIGURE7, plan, context, {"ours": manifest}, Executed(runs))
    folder = tmp_path / "figure7"
    folder.mkdir()
    write_table(folder, FIGURE7.draw(made, folder))
    table = read_result(folder)
    assert [r.title for r in table.rows] == ["Open mouth", "Look up", "Smile", "All actions"]
    assert [c.title for c in table.columns] == list(COLUMN_TITLES.values())
    groups = [(t.group, t.detail) for t in table.tiles if t.action == "look_up"]
    assert groups == [
        ("Frame", "raw, untouched"), ("ResNet-50", "trained on raw"),
        ("ResNet-50", "trained on c40"),
    ]  # fmt: skip
    assert table.tiles[0].note == ""
    assert table.tiles[3].note.startswith("P(fake) ")
    assert table.tiles[3].alt == "Open mouth: where ResNet-50 (trained on raw) looks"
    assert table.picture is not None
    page = np.asarray(Image.open(folder / table.picture.file)).astype(int)
    frame, painted = (
        np.asarray(Image.open(folder / t.file)).astype(int)
        for t in (table.tiles[0], table.tiles[3])
    )
    top = page[10 + 22 :, 10 : 10 + 192]  # below the label, beside the margin
    assert np.abs(top[:192] - frame).mean() < 8
    assert np.abs(top[192:384] - painted).mean() < 8
    assert any("mouth for" in s or "the mouth" in s for s in table.sentences)
    lost = replace(made, executed=Executed({lead: RunOutcome(None, "the loss is nan")}))
    assert FIGURE7.draw(lost, folder).sentences == ("Not run: the loss is nan.",)


def test_changed_pixels_are_those_that_differ_from_the_first_frame() -> None:
    """A square of 20 px becomes brighter by 40 levels; camera noise alone changes nothing."""
    rng = np.random.default_rng(0)
    first = rng.integers(60, 180, (64, 64, 3)).astype(np.uint8)
    frames = np.clip(first + rng.normal(0, 2, (2, 64, 64, 3)), 0, 255).astype(np.uint8)
    frames[1, 10:30, 20:40] += 40
    changed = changed_pixels(frames, first)
    assert not changed[0].any()
    assert changed[1, 10:30, 20:40].all()
    assert 400 <= changed[1].sum() <= 576  # the edge is soft by three pixels on each side


def test_the_share_of_what_changed_is_measured_beside_the_regions() -> None:
    """Evidence lies all in the changed quarter of one frame, and evenly over the other frame."""
    maps = np.ones((2, 40, 40))
    changed = np.zeros((2, 40, 40), bool)
    changed[:, :20, :20] = True
    maps[0] = changed[0]
    found = _with_changed(np.full((2, 6), 1 / 6), maps, changed)
    assert found.shape == (2, 7)
    assert found[:, 6] == pytest.approx([1.0, 0.25])
    assert np.isnan(_with_changed(np.full((2, 6), np.nan), maps, changed)).all()
