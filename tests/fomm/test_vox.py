"""The published recipes: their numbers, every loss, overfitting, resumed runs, refused input."""

import contextlib
import dataclasses
import json
import traceback
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fomm.test_networks import tiny
from tests.fomm.test_vgg import seeded_vgg

from dfmnist.core.errors import InputError
from dfmnist.core.files import folder_lock, read_json
from dfmnist.fomm.checkpoint import (
    load_networks,
    read_provenance,
    save_networks,
    training_seeds,
)
from dfmnist.fomm.networks.discriminator import DiscriminatorConfig
from dfmnist.fomm.networks.keypoints import Keypoints
from dfmnist.fomm.training.clips import TrainingPair, load_people
from dfmnist.fomm.training.losses import RandomTransform, equivariance
from dfmnist.fomm.training.train_vox import train_published
from dfmnist.fomm.training.trainer import Machine
from dfmnist.fomm.training.vox import (
    LossWeights,
    PublishedConfig,
    PublishedModule,
    vox256,
    voxadv256,
)
from dfmnist.media.video import write_video

CPU = Machine(device="cpu", threads=1)


def film(folder: Path, people: int = 4, frames: int = 5, size: int = 32) -> Path:
    """A square of each person's colour that moves over a shaded background."""
    folder.mkdir(parents=True, exist_ok=True)
    for person in range(people):
        rng = np.random.default_rng(person)
        colour = rng.integers(90, 255, 3)
        pictures = np.empty((frames, size, size, 3), np.uint8)
        pictures[:] = np.linspace(10, 60, size, dtype=np.uint8)[:, None, None]
        for i, picture in enumerate(pictures):
            x, y = 4 + 3 * i, 6 + 2 * (i + person) % 12
            picture[y : y + 10, x : x + 10] = colour
        write_video(folder / f"id{person}#v#0#{frames}.mp4", pictures, Fraction(25), crf=10)
    return folder


def config(**changes: object) -> PublishedConfig:
    values: dict[str, object] = {
        "model": tiny(),
        "discriminator": DiscriminatorConfig(
            expansion=4, max_features=8, blocks=2, spectral_norm=True, use_kp=True
        ),
        "pictures": "pyramid",
        "epochs": 3,
        "repeats": 2,
        "batch_size": 4,
        "milestones": (2,),
        "scales": (1.0, 0.5),
    }
    return dataclasses.replace(vox256(), **(values | changes))  # type: ignore[arg-type]


ADVERSARIAL = LossWeights(generator_gan=1.0)


def train(config: PublishedConfig, clips: Path, out: Path, **more: object) -> Path:
    values: dict[str, object] = {"machine": CPU}
    return train_published(config, clips, out, **(values | more))  # type: ignore[arg-type]


def test_recipes_are_the_published_ones() -> None:
    vox, adv = vox256(), voxadv256()
    assert (vox.epochs, vox.repeats, vox.batch_size, vox.milestones) == (100, 75, 40, (60, 90))
    assert (adv.epochs, adv.repeats, adv.batch_size, adv.milestones) == (150, 75, 36, ())
    for recipe in (vox, adv):
        assert (recipe.lr, recipe.betas) == (2e-4, (0.5, 0.999))
        assert recipe.scales == (1, 0.5, 0.25, 0.125)
        assert (recipe.jitter, recipe.affine, recipe.spline) == (0.1, 0.05, 0.005)
        w = recipe.weights
        assert (w.perceptual, w.equivariance_value, w.equivariance_jacobian) == (10, 10, 10)
        assert (w.discriminator_gan, w.feature_matching) == (1, 10)
        assert recipe.pictures == "vgg"
    assert not vox.adversarial
    assert adv.adversarial
    assert (adv.discriminator.use_kp, adv.discriminator.spectral_norm) == (True, False)
    assert [vox.lr_at(e) for e in (0, 59, 60, 89, 90, 99)] == pytest.approx(
        [2e-4, 2e-4, 2e-5, 2e-5, 2e-6, 2e-6]
    )
    assert adv.lr_at(149) == 2e-4


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("published") / "clips")


def batch_of(module: PublishedModule, count: int = 3) -> TrainingPair:
    pairs = module.pairs(0)
    return TrainingPair(
        *(torch.stack(x) for x in zip(*(pairs[i] for i in range(count)), strict=True))
    )


def module_of(config: PublishedConfig, clips: Path, tmp_path: Path) -> PublishedModule:
    people = load_people(clips, tmp_path / "clips.json")
    return PublishedModule(config, people, seeded_vgg() if config.pictures == "vgg" else None)


def transform_of(batch: int) -> RandomTransform:
    return RandomTransform(batch, torch.Generator().manual_seed(0))


def test_terms_of_each_recipe_reach_every_weight(clips: Path, tmp_path: Path) -> None:
    plain = module_of(config(), clips, tmp_path)
    batch = batch_of(plain)
    _, _, terms = plain.generator_terms(batch, transform_of(3))
    assert plain.discriminator is None
    assert len(plain.configure_optimizers()) == 1
    both = {"equivariance_value", "equivariance_jacobian"}
    assert set(terms) == {"pyramid", "gradient"} | both
    adv = module_of(config(pictures="vgg", scales=(1.0, 0.5), weights=ADVERSARIAL), clips, tmp_path)
    made, driving, terms = adv.generator_terms(batch, transform_of(3))
    assert set(terms) == {"perceptual", "generator_gan", "feature_matching"} | both
    torch.stack(list(terms.values())).sum().backward()
    for name, parameter in [*adv.kp_detector.named_parameters(), *adv.generator.named_parameters()]:
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    adv.zero_grad()
    torch.stack(list(adv.discriminator_terms(batch, made, driving).values())).sum().backward()
    assert adv.discriminator is not None
    assert all(p.grad is not None for p in adv.discriminator.parameters())
    assert all(p.grad is None for p in adv.generator.parameters())
    assert all(p.grad is None for p in adv.kp_detector.parameters())


def test_factors_multiply_their_terms(clips: Path, tmp_path: Path) -> None:
    one = LossWeights(1, 1, 1, 1, 1, 1, 1, 1)
    many = LossWeights(2, 3, 4, 5, 6, 7, 8, 9)
    found = []
    for weights in (one, many):
        adv = module_of(config(weights=weights), clips, tmp_path)
        batch = batch_of(adv)
        made, driving, terms = adv.generator_terms(batch, transform_of(3))
        found.append(terms | adv.discriminator_terms(batch, made, driving))
    wanted = {
        "pyramid": 3, "gradient": 4, "equivariance_value": 5, "equivariance_jacobian": 6,
        "generator_gan": 7, "discriminator_gan": 8, "feature_matching": 9,
    }  # fmt: skip
    assert set(found[0]) == set(wanted)
    for name, factor in wanted.items():
        assert (found[1][name] / found[0][name]).item() == pytest.approx(factor, rel=1e-4), name


def test_overfits_one_pair(clips: Path, tmp_path: Path) -> None:
    module = module_of(config(), clips, tmp_path)
    pairs = module.pairs(0)
    index = next(i for i in range(8) if abs(pairs.draw(i).frames[0] - pairs.draw(i).frames[1]) > 1)
    batch = TrainingPair(*(x[None] for x in pairs[index]))
    both = [*module.kp_detector.parameters(), *module.generator.parameters()]
    optimiser, totals = torch.optim.Adam(both, lr=5e-3, betas=(0.5, 0.999)), []
    for step in range(80):
        transform = RandomTransform(1, torch.Generator().manual_seed(step))
        made, _, terms = module.generator_terms(batch, transform)
        total = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < 0.4 * totals[0]
    ours = (made.prediction - batch.driving).abs().mean()
    still = (batch.source - batch.driving).abs().mean()
    assert ours < 0.6 * still


def rows(out: Path) -> list[list[str]]:
    """The curve without the seconds taken."""
    return [line.split(",")[:-1] for line in (out / "curve.csv").read_text().splitlines()]


def state(out: Path) -> dict[str, torch.Tensor]:
    loaded = torch.load(out / "last.ckpt", weights_only=True)
    weights: dict[str, torch.Tensor] = loaded["state_dict"]
    for i, optimizer in enumerate(loaded["optimizer_states"]):
        for number, values in optimizer["state"].items():
            weights |= {f"optimizer{i}.{number}.{k}": v for k, v in values.items()}
    return weights


@pytest.mark.parametrize("weights", [LossWeights(), ADVERSARIAL], ids=["vox", "vox-adv"])
def test_killed_run_goes_on_as_the_unbroken_one(
    clips: Path, tmp_path: Path, weights: LossWeights
) -> None:
    recipe = config(weights=weights)
    whole, part = tmp_path / "whole", tmp_path / "part"
    train(recipe, clips, whole)
    train(recipe, clips, part, stop_after=1)
    assert len(rows(part)) == 2
    assert read_provenance(part / "last.safetensors")["epochs"] == 1
    train(recipe, clips, part)
    one, two = state(whole), state(part)
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name
    assert any(name.startswith("discriminator.discs.1") for name in one) is recipe.adversarial
    assert rows(whole) == rows(part)
    loaded = torch.load(part / "last.ckpt", weights_only=True)
    for optimizer in loaded["optimizer_states"]:
        assert optimizer["param_groups"][0]["lr"] == pytest.approx(2e-5)  # after the milestone
    assert [row[0] for row in rows(whole)] == ["epoch", "1", "2", "3"]
    terms = {"pyramid", "gradient", "equivariance_value", "equivariance_jacobian", "sheet_l1"}
    assert terms <= set(rows(whole)[0])
    assert ("discriminator_gan" in rows(whole)[0]) is recipe.adversarial
    assert sorted(p.name for p in (part / "sheets").iterdir()) == [f"000{i}.png" for i in (1, 2, 3)]
    assert list((part / "tensorboard").glob("events.out.*"))
    networks = load_networks(part / "last.safetensors")
    assert networks.config == recipe.model
    # a finished run does not change
    stamp = (part / "last.ckpt").stat().st_mtime_ns
    train(recipe, clips, part)
    assert (part / "last.ckpt").stat().st_mtime_ns == stamp


def test_weights_change_with_the_seed_and_learn(clips: Path, tmp_path: Path) -> None:
    first = module_of(config(seed=1), clips, tmp_path).generator.final.weight
    assert torch.equal(first, module_of(config(seed=1), clips, tmp_path).generator.final.weight)
    assert not torch.equal(first, module_of(config(seed=2), clips, tmp_path).generator.final.weight)
    train(config(seed=1, epochs=1), clips, tmp_path / "out")
    assert not torch.equal(state(tmp_path / "out")["generator.final.weight"], first)


def test_what_stands_in_for_vgg_is_said_and_recorded(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(config(epochs=1), clips, tmp_path / "out")
    said = capsys.readouterr().err
    assert said.count("NOT the published perceptual loss") == 1
    about = read_json(tmp_path / "out" / "config.json")
    assert about["pictures"].startswith("NOT the published perceptual loss")
    assert about["recipe"]["pictures"] == "pyramid"
    assert about["vgg_sha256"] is None
    provenance = read_provenance(tmp_path / "out" / "last.safetensors")
    assert provenance["pictures"] == about["pictures"]
    assert provenance["clips"]["people"] == 4


def test_trains_with_vgg(clips: Path, tmp_path: Path) -> None:
    torch.save(seeded_vgg().state_dict(), tmp_path / "vgg.pth")
    recipe = config(pictures="vgg", epochs=1, batch_size=2, repeats=1)
    train(recipe, clips, tmp_path / "out", vgg=tmp_path / "vgg.pth")
    about = read_json(tmp_path / "out" / "config.json")
    assert about["pictures"] == "VGG-19 perceptual loss as published, 10 a layer, from vgg.pth"
    assert len(about["vgg_sha256"]) == 64
    assert "perceptual" in rows(tmp_path / "out")[0]
    assert not any("features" in name for name in state(tmp_path / "out"))
    torch.save(
        seeded_vgg(1).state_dict(), tmp_path / "vgg.pth"
    )  # another perceptual network is another run
    with pytest.raises(InputError, match="vgg_sha256"):
        train(recipe, clips, tmp_path / "out", vgg=tmp_path / "vgg.pth")


def test_sheet_shows_people_of_the_test_folder(clips: Path, tmp_path: Path) -> None:
    film(tmp_path / "data" / "train", people=4)
    film(tmp_path / "data" / "test", people=2)
    train(config(epochs=1), tmp_path / "data", tmp_path / "out")
    assert read_json(tmp_path / "out" / "config.json")["clips"]["people"] == 4
    assert len(read_json(tmp_path / "out" / "clips-test.json")) == 2


def test_bf16_keeps_coordinates_in_float32(clips: Path, tmp_path: Path) -> None:
    module = module_of(config(weights=ADVERSARIAL), clips, tmp_path)
    batch, transform = batch_of(module), transform_of(3)
    xy = torch.rand(3, 4, 2)
    turned = Keypoints(xy, torch.rand(3, 4, 2, 2) + 2 * torch.eye(2))

    def coordinates() -> tuple[torch.Tensor, ...]:
        losses = equivariance(turned, turned, transform)
        return transform.points(xy), transform.image(batch.driving), *losses

    exact = coordinates()
    with torch.autocast("cpu", torch.bfloat16):
        again = coordinates()
        made, driving, terms = module.generator_terms(batch, transform)
    assert all(torch.equal(a, b) for a, b in zip(exact, again, strict=True))
    assert driving.value.dtype == driving.jacobian.dtype == torch.float32
    assert made.deformation.dtype == torch.float32
    assert {term.dtype for term in terms.values()} == {torch.float32}


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_bf16_trains_every_network(clips: Path, tmp_path: Path, spectral_norm: bool) -> None:
    machine = dataclasses.replace(CPU, precision="bf16")
    sizes = DiscriminatorConfig(
        expansion=4, max_features=8, blocks=2, spectral_norm=spectral_norm, use_kp=True
    )
    recipe = config(epochs=1, weights=ADVERSARIAL, discriminator=sizes)
    train(recipe, clips, tmp_path / "out", machine=machine)
    after = state(tmp_path / "out")
    for name, before in module_of(recipe, clips, tmp_path).named_parameters():
        assert after[name].dtype == torch.float32
        # a convolution's bias before a norm has no gradient but rounding
        assert not torch.equal(after[name], before) or name.endswith("conv.bias"), name


def test_everything_lies_where_the_batch_does(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tensor left on the CPU would fail on a GPU; the meta device finds it without one."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    device = torch.device("meta")
    module = module_of(config(weights=ADVERSARIAL), clips, tmp_path)
    batch = TrainingPair(*(x.to(device) for x in batch_of(module)))
    transform = RandomTransform(3, torch.Generator().manual_seed(0), device=device)
    made, driving, terms = module.to(device).generator_terms(batch, transform)
    terms |= module.discriminator_terms(batch, made, driving)
    torch.stack(list(terms.values())).sum().backward()
    assert {term.device for term in terms.values()} == {device}


def test_starts_from_other_weights(clips: Path, tmp_path: Path) -> None:
    module = module_of(config(seed=9), clips, tmp_path)
    path = tmp_path / "start.safetensors"
    save_networks(path, module.config.model, module.kp_detector, module.generator)
    other = module_of(config(seed=1), clips, tmp_path)
    other.start_from(path)
    kept = load_networks(path)
    assert torch.equal(other.generator.final.weight, kept.generator.final.weight)
    assert torch.equal(other.kp_detector.kp.weight, kept.kp_detector.kp.weight)
    wrong = module_of(config(model=tiny(kp_variance=0.02)), clips, tmp_path)
    with pytest.raises(InputError, match="another configuration"):
        wrong.start_from(path)


def test_weights_record_the_actors_they_saw(tmp_path: Path) -> None:
    clips, out = film(tmp_path / "clips"), tmp_path / "out"
    for person, seed in ((0, 70), (1, 71)):
        truth = clips / f"id{person}#v#0#5.json"
        truth.write_text(json.dumps({"identity_seed": seed}))
    recipe = config(epochs=1)
    first = train(recipe, clips, out)
    assert training_seeds(first) == {70, 71}
    other = film(tmp_path / "other")  # further training on real people
    train(recipe, other, tmp_path / "more", initial=first)
    last = train(config(epochs=2), other, tmp_path / "more")
    assert training_seeds(last) == {70, 71}


def test_goes_on_with_the_same_settings_and_clips_only(tmp_path: Path) -> None:
    clips, out = film(tmp_path / "clips"), tmp_path / "out"
    train(config(epochs=1), clips, out)
    with pytest.raises(InputError, match=r"recipe\.batch_size 4, now 2"):
        train(config(batch_size=2), clips, out)
    train(config(epochs=2), clips, out)  # more epochs are allowed
    assert len(rows(out)) == 3
    (clips / "id3#v#0#5.mp4").unlink()
    with pytest.raises(InputError, match="this run began with"):
        train(config(epochs=3), clips, out)


def test_refuses_what_it_cannot_train_on(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"without --vgg; expected torchvision's file \(https://"):
        train(config(pictures="vgg"), clips, out)
    with pytest.raises(InputError, match="--vgg with --pictures pyramid"):
        train(config(), clips, out, vgg=tmp_path / "vgg.pth")
    with pytest.raises(InputError, match="8 draws an epoch; expected 9"):
        train(config(batch_size=9), clips, out)
    machine = dataclasses.replace(CPU, devices=3)
    with pytest.raises(InputError, match="--batch-size 4 for 3 devices"):
        train(config(), clips, out, machine=machine)
    with pytest.raises(InputError, match="--pictures lpips"):
        config(pictures="lpips")
    with pytest.raises(InputError, match="VGG-19"):
        config(pictures="vgg", scales=(1.0, 0.25))
    for wrong in ({"device": "tpu"}, {"precision": "16"}, {"devices": 0}, {"nodes": 0}):
        with pytest.raises(InputError, match="--"):
            Machine(**wrong)  # type: ignore[arg-type]


def test_a_clip_lost_on_the_way_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = film(tmp_path / "clips")

    def then_lose_one(*given: object, **more: object) -> object:
        people = load_people(*given, **more)  # type: ignore[arg-type]
        (clips / "id2#v#0#5.mp4").unlink()
        return people

    monkeypatch.setattr("dfmnist.fomm.training.train_vox.load_people", then_lose_one)
    machine = dataclasses.replace(CPU, loaders=1)  # a process of its own decodes
    wanted = r"^\S*id2#v#0#5\.mp4: no such file; expected a video$"
    with pytest.raises(InputError, match=wanted) as raised:
        train(config(), clips, tmp_path / "out", machine=machine)
    error: BaseException | None = raised.value
    # a traceback that keeps the loader leaves it to the garbage, where its process costs 5 s
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    train(config(epochs=3), clips, out, stop_after=1)
    before = (out / "last.ckpt").read_bytes()
    loaded = torch.load(out / "last.ckpt", weights_only=True)
    loaded["state_dict"]["generator.final.bias"].fill_(float("nan"))
    torch.save(loaded, out / "last.ckpt")
    poisoned = (out / "last.ckpt").read_bytes()
    with pytest.raises(InputError, match=r"is nan in epoch 2; expected a number"):
        train(config(epochs=3), clips, out)
    assert (out / "last.ckpt").read_bytes() == poisoned != before


def test_a_folder_in_use_is_refused(clips: Path, tmp_path: Path) -> None:
    with folder_lock(tmp_path / "out"), pytest.raises(InputError, match="out: is in use by proc"):
        train(config(), clips, tmp_path / "out")
