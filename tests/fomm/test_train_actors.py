"""Training on tiny clips made here: it overfits, resumes exactly, and refuses unusable input."""

import dataclasses
import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fomm.test_networks import tiny

from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import load_networks, read_provenance
from dfmnist.fomm.networks.keypoints import Keypoints
from dfmnist.fomm.training.actors_data import (
    FACE_POINTS,
    Draw,
    FaceClips,
    draw_batch,
    load_actor_clips,
    local_affines,
    mirror_order,
)
from dfmnist.fomm.training.train_actors import (
    POINTS,
    ActorsTrainConfig,
    AnimatorModule,
    Phase,
    fit,
    gaze_l1,
    near_mouth,
    relative,
    train_animator,
)
from dfmnist.fomm.training.trainer import Machine
from dfmnist.media.video import write_video

ONE = Machine(device="cpu", threads=1)
NAMES = ("eye_left_upper", "eye_right_upper", "lip_upper_inner")


def film(folder: Path, people: int = 4, frames: int = 3) -> None:
    """Coloured squares that move as one; two people share each performance."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted({*NAMES, *FACE_POINTS, "nose_bridge"})
    base = np.random.default_rng(0).uniform(30, 66, (len(names), 2))
    for person in range(people):
        colour = np.random.default_rng(person).integers(60, 255, 3)
        rng = np.random.default_rng(person // 2)
        points = base + rng.uniform(-8, 8, (frames, 1, 2))
        pictures = np.full((frames, 96, 96, 3), 40, np.uint8)
        for picture, at in zip(pictures, points, strict=True):
            for x, y in at.astype(int):
                picture[y - 4 : y + 4, x - 4 : x + 4] = colour
        path = folder / f"{person:02d}.mp4"
        write_video(path, pictures, Fraction(25), crf=10)
        truth = {"identity_seed": person, "performance_seed": person // 2}
        marks = {name: points[:, i].tolist() for i, name in enumerate(names)}
        path.with_suffix(".json").write_text(json.dumps({**truth, "landmarks2d": marks}))


def config(**changes: object) -> ActorsTrainConfig:
    values: dict[str, object] = {
        "phases": (Phase(2, Draw(16, 1, 1), 1e-3, 1e-3), Phase(2, Draw(32, 1, 0), 1e-3, 1e-4)),
        "model": tiny(blend=True),
        "points": NAMES,
        "epoch_steps": 1,
        "held_out": 2,
        "sheet_epochs": 4,
    }
    return ActorsTrainConfig(**(values | changes))  # type: ignore[arg-type]


def test_killed_run_ends_as_the_unbroken_one(tmp_path: Path) -> None:
    film(tmp_path / "clips")
    whole = train_animator(config(), tmp_path / "clips", tmp_path / "whole", machine=ONE)
    # stopped after the third of four epochs, in the second phase
    train_animator(config(), tmp_path / "clips", tmp_path / "part", stop_after=3, machine=ONE)
    about = read_provenance(tmp_path / "part" / "last.safetensors")
    assert about["steps"] == 3
    assert about["identity_seeds"] == sorted(set(about["identity_seeds"])) != []
    part = train_animator(config(), tmp_path / "clips", tmp_path / "part", machine=ONE)
    one, two = load_networks(whole), load_networks(part)
    for a, b in zip(
        one.generator.state_dict().values(), two.generator.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)
    assert read_provenance(part)["steps"] == 4
    assert (tmp_path / "part" / "sheets" / "000004.png").is_file()
    lines = (tmp_path / "whole" / "curve.csv").read_text().splitlines()
    assert len(lines) == 5
    steps = [line.split(",")[0] for line in lines]
    assert steps == ["step", "1", "2", "3", "4"]
    assert {"pyramid", "keypoint", "val_psnr", "val_psnr_still"} <= set(lines[0].split(","))


def test_starts_from_other_weights(tmp_path: Path) -> None:
    film(tmp_path / "clips")
    first = train_animator(config(), tmp_path / "clips", tmp_path / "a", stop_after=1, machine=ONE)
    module = AnimatorModule(config())
    module.start_from(first)
    kept = load_networks(first).generator.final.weight
    assert torch.equal(module.generator.final.weight, kept)
    assert torch.equal(module.averaged[1].final.weight, kept)  # type: ignore[union-attr]
    with pytest.raises(InputError, match="another configuration"):
        AnimatorModule(config(model=tiny(blend=True, kp_variance=0.02))).start_from(first)


def test_overfits_one_pair(tmp_path: Path) -> None:
    film(tmp_path, people=2)
    footage = load_actor_clips(tmp_path, NAMES, 32, margin=(0.1, 0.1), seed=0)
    batch = draw_batch(footage, Draw(32, 1, 1), [0, 1], 0, 0)
    # `follow` uses the averaged detector, which this loop does not train
    weights = dataclasses.replace(config().weights, follow=0.0)
    module = AnimatorModule(config(weights=weights))
    optimiser = torch.optim.Adam(module.parameters(), lr=3e-3)
    totals = []
    for _ in range(60):
        total = torch.stack(list(module.losses(batch).values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < 0.4 * totals[0]


def test_every_loss_is_there_and_finite(tmp_path: Path) -> None:
    film(tmp_path, people=2)
    footage = load_actor_clips(tmp_path, NAMES, 32, margin=(0.1, 0.1), seed=0)
    weights = dataclasses.replace(config().weights, equivariance=1.0)
    module = AnimatorModule(config(weights=weights))
    terms = module.losses(draw_batch(footage, Draw(32, 2, 1), [0, 1], 0, 0))
    assert set(terms) == {
        "pyramid", "gradient", "texture", "keypoint", "jacobian", "follow", "warped",
        "equivariance", "gaze", "follow_gaze",
    }  # fmt: skip
    assert all(torch.isfinite(term) for term in terms.values())
    with torch.autocast("cpu", torch.bfloat16):  # as --precision bf16
        rounded = module.losses(draw_batch(footage, Draw(32, 2, 1), [0, 1], 0, 0))
    torch.testing.assert_close(rounded["keypoint"], terms["keypoint"], rtol=1e-4, atol=1e-5)
    assert all(term.dtype == torch.float32 for term in rounded.values())
    assert rounded["pyramid"].item() == pytest.approx(terms["pyramid"].item(), rel=0.05)


def test_the_discriminator_judges_hidden_pixels_and_the_mouth(tmp_path: Path) -> None:
    film(tmp_path, people=2)
    footage = load_actor_clips(tmp_path, NAMES, 64, margin=(0.1, 0.1), seed=0)
    weights = dataclasses.replace(
        config().weights, adversarial=2.0, adversarial_from=1, texture_seen=True
    )
    module = AnimatorModule(config(weights=weights))
    module.resize(64)
    batch = draw_batch(footage, Draw(64, 2, 1), [0, 1], 0, 0)
    assert module.discriminator is not None
    trained = {
        id(p) for group in module.configure_optimizers().param_groups for p in group["params"]
    }
    assert {id(p) for p in module.discriminator.parameters()} <= trained
    assert "adversarial" not in module.losses(batch)  # it counts from step 1
    module.config = config(weights=dataclasses.replace(weights, adversarial_from=0))
    terms = module.losses(batch)
    terms["adversarial"].backward(retain_graph=True)
    assert all(p.grad is None for p in module.discriminator.parameters())
    assert module.generator.final.weight.grad is not None
    module.zero_grad()
    terms["discriminator"].backward()
    assert module.generator.final.weight.grad is None
    assert all(p.grad is not None for p in module.discriminator.parameters())


def test_the_mouth_is_between_its_points() -> None:
    names = ("mouth_left", "mouth_right", "lip_upper_inner", "chin")
    points = torch.tensor([[[0.3, 0.5], [-0.3, 0.5], [0.0, 0.4], [0.0, 0.9]]])
    image = torch.zeros(1, 3, 41, 41)
    weight = near_mouth(Keypoints(points, torch.zeros(1, 4, 2, 2)), image, names)[0, 0]
    assert weight[round((0.5 + 1) * 20), 20] > 0.8  # rows from -1 to 1
    assert weight[5, 20] < 0.01
    none = near_mouth(Keypoints(points, torch.zeros(1, 4, 2, 2)), image, ("chin",) * 4)
    assert not none.any()


def test_fine_detail_counts_less_where_the_source_shows_nothing(tmp_path: Path) -> None:
    film(tmp_path, people=2)
    footage = load_actor_clips(tmp_path, NAMES, 32, margin=(0.1, 0.1), seed=0)
    batch = draw_batch(footage, Draw(32, 2, 1), [0, 1], 0, 0)
    module = AnimatorModule(config())
    made, _ = module.animate(batch, module.kp_detector, module.generator)
    left = torch.zeros_like(made.occlusion)
    left[..., : left.shape[-1] // 2] = 1  # only the left half is seen there
    wrong = batch.target.clone()
    wrong[..., 20:] = torch.rand_like(wrong[..., 20:])
    made = made._replace(occlusion=left, prediction=wrong)
    usual = module.picture_losses(batch, made)["texture"]
    module.config = config(weights=dataclasses.replace(config().weights, texture_seen=True))
    assert module.picture_losses(batch, made)["texture"] < 0.5 * usual


def test_more_bottleneck_blocks_start_as_the_model_without(tmp_path: Path) -> None:
    film(tmp_path, people=2)
    footage = load_actor_clips(tmp_path, NAMES, 32, margin=(0.1, 0.1), seed=0)
    batch = draw_batch(footage, Draw(32, 2, 1), [0, 1], 0, 0)
    model = tiny(blend=True, hint=True)
    small = AnimatorModule(config(model=model))
    small.save(tmp_path / "small.safetensors", {})
    more = dataclasses.replace(
        model, generator_bottleneck_blocks=model.generator_bottleneck_blocks + 2
    )
    large = AnimatorModule(config(model=more))
    large.start_from(tmp_path / "small.safetensors")
    small.start_from(tmp_path / "small.safetensors")  # rounded to float16 too
    pictures = [
        module.eval().animate(batch, module.kp_detector, module.generator)[0].prediction
        for module in (small, large)
    ]
    torch.testing.assert_close(*pictures)
    large.save(tmp_path / "large.safetensors", {})
    with pytest.raises(InputError, match="another configuration"):
        small.start_from(tmp_path / "large.safetensors")


def test_footage_that_grows_is_used_in_the_next_epoch(tmp_path: Path) -> None:
    film(tmp_path / "clips", people=4)
    whole = load_actor_clips(tmp_path / "clips", NAMES, 32, margin=(0.1, 0.1), seed=0)
    first = dataclasses.replace(whole, identities=whole.identities[:2])
    asked: list[int] = []

    def grow() -> FaceClips:
        asked.append(len(asked))
        return whole

    path = fit(
        config(), first, [1], tmp_path / "out", initial=None, stop_after=2, machine=ONE, grow=grow
    )
    assert len(asked) == 2
    assert read_provenance(path)["identity_seeds"] == [0, 1, 2, 3]


def test_gaze_is_where_the_pupils_stand_between_the_lids() -> None:
    names = ("eye_left_upper", "pupil_left", "eye_left_lower", "nose_tip", "pupil_right")
    true = torch.zeros(2, 5, 2)
    moved = true + 0.3  # the whole face: no change of gaze
    assert float(gaze_l1(moved, true, names)) == pytest.approx(0, abs=1e-6)
    moved[0, 1, 1] += 0.2  # one pupil of two pictures, one coordinate of two
    assert float(gaze_l1(moved, true, names)) == pytest.approx(0.2 / 4)
    moved[1, 4] += 1.0  # an eye without lids has no loss
    assert float(gaze_l1(moved, true, names)) == pytest.approx(0.2 / 4)
    assert float(gaze_l1(moved, true, ("a", "b", "c", "d", "e"))) == 0


def test_follow_asks_where_the_points_are_in_the_picture_made(tmp_path: Path) -> None:
    film(tmp_path, people=2)
    footage = load_actor_clips(tmp_path, NAMES, 32, margin=(0.1, 0.1), seed=0)
    module = AnimatorModule(config())
    batch = draw_batch(footage, Draw(32, 2, 1), [0, 1], 0, 0)
    term = module.losses(batch)["follow"]
    with torch.no_grad():
        made, _ = module.animate(batch, module.kp_detector, module.generator)
        found = module.averaged[0](made.prediction)
    wanted = batch.truth.value[3:6]
    inside = wanted.abs().amax(dim=-1) <= 1
    by_hand = (found.value - wanted).abs().mean(dim=-1)[inside].mean()
    assert term.item() == pytest.approx(module.config.weights.follow * by_hand.item(), rel=1e-3)
    term.backward()
    assert module.generator.final.weight.grad is not None
    assert module.generator.final.weight.grad.abs().max() > 0
    assert all(p.grad is None for p in module.averaged.parameters())  # this loss does not train it


def test_the_hint_is_learnt(tmp_path: Path) -> None:
    film(tmp_path)
    footage = load_actor_clips(tmp_path, NAMES, 32, margin=(0.05, 0.05), seed=0)
    module = AnimatorModule(config(model=tiny(blend=True, hint=True)))
    batch = draw_batch(footage, Draw(32, 1, 2), range(4), 0, 0)
    torch.stack(list(module.losses(batch).values())).sum().backward()
    assert module.generator.hint is not None
    assert module.generator.hint.weight.grad is not None
    assert module.generator.hint.weight.grad.abs().max() > 0


def test_batches_depend_on_the_step_alone(tmp_path: Path) -> None:
    film(tmp_path)
    footage = load_actor_clips(tmp_path, NAMES, 32, margin=(0.05, 0.2), seed=0)
    one = draw_batch(footage, Draw(16, 1, 2), range(4), seed=5, step=9)
    two = draw_batch(footage, Draw(16, 1, 2), range(4), seed=5, step=9)
    other = draw_batch(footage, Draw(16, 1, 2), range(4), seed=5, step=10)
    assert torch.equal(one.source, two.source)
    assert torch.equal(one.truth.value, two.truth.value)
    assert not torch.equal(one.source, other.source)
    assert one.source.shape == (3, 3, 16, 16)
    assert one.driver.shape == (2, 3, 16, 16)
    assert len(one.truth.value) == 3 + 3 + 2 + 2


def test_colours_may_fade_to_grey(tmp_path: Path) -> None:
    film(tmp_path)
    footage = load_actor_clips(tmp_path, NAMES, 32, margin=(0.05, 0.2), seed=0)
    faded = draw_batch(footage, Draw(32, 8, 0, saturation=1.0), range(4), seed=5, step=9)
    vivid = draw_batch(footage, Draw(32, 8, 0), range(4), seed=5, step=9)
    colour = [b.source.amax(dim=1) - b.source.amin(dim=1) for b in (faded, vivid)]
    share = colour[0].flatten(1).mean(1) / colour[1].flatten(1).mean(1)
    assert share.min() < 0.5
    assert share.max() == pytest.approx(1, abs=1e-5)  # some keep their colours
    torch.testing.assert_close(faded.source.mean(1), vivid.source.mean(1), atol=0.05, rtol=0)


def test_partners_give_the_same_performance(tmp_path: Path) -> None:
    film(tmp_path)
    footage = load_actor_clips(tmp_path, NAMES, 32, margin=(0.1, 0.1), seed=0)
    assert [footage.partners(i) for i in range(4)] == [[1], [0], [3], [2]]
    # the true points lie on the squares, in the crop's coordinates
    assert np.abs(footage.points[0]).max() < 1


def test_local_affine_of_a_turned_face() -> None:
    rng = np.random.default_rng(0)
    names = [f"point_{i}" for i in range(9)]
    face = rng.uniform(-0.6, 0.6, (9, 2))
    angles = np.radians([-20, 0, 20])
    turns = np.stack([np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles])
    points = np.einsum("nij,pj->npi", turns, face).astype(np.float32)
    found = local_affines(points, names)
    mean = np.cos(angles).mean()  # the mean face is the face, shrunk by this
    wanted = np.broadcast_to(turns[:, None] / mean, found.shape)
    np.testing.assert_allclose(found, wanted, atol=0.02)


def test_mirrored_points_swap_sides() -> None:
    names = ("eye_left_upper", "chin", "eye_right_upper")
    assert mirror_order(names) == [2, 1, 0]
    assert sorted(mirror_order(POINTS)) == list(range(len(POINTS)))


def test_relative_motion_of_pairs() -> None:
    eye = torch.eye(2).repeat(2, 1, 1, 1)
    source = Keypoints(torch.full((2, 1, 2), 0.1), 3 * eye)
    first = Keypoints(torch.tensor([[[0.0, 0.0]], [[0.5, 0.5]]]), 2 * eye)
    moved = relative(source, first, Keypoints(first.value + 0.2, 4 * eye))
    torch.testing.assert_close(moved.value, torch.full((2, 1, 2), 0.3))
    torch.testing.assert_close(moved.jacobian, 6 * eye)


def test_what_cannot_be_trained_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clips with truth"):
        load_actor_clips(tmp_path, NAMES, 32, margin=(0.1, 0.1), seed=0)
    film(tmp_path / "clips", people=2)
    with pytest.raises(InputError, match="lacks points"):
        load_actor_clips(tmp_path / "clips", ("tail",), 32, margin=(0.1, 0.1), seed=0)
    with pytest.raises(InputError, match="more than"):
        train_animator(config(), tmp_path / "clips", tmp_path / "out")
    with pytest.raises(InputError, match="multiple of"):
        config(epoch_steps=3)
    with pytest.raises(InputError, match="keypoints"):
        config(points=NAMES[:2])
    (tmp_path / "full").mkdir()
    shutil.copy(tmp_path / "clips" / "00.mp4", tmp_path / "full")
    with pytest.raises(InputError, match="holds something else"):
        train_animator(config(), tmp_path / "clips", tmp_path / "full")
