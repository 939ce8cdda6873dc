"""Training of the motion model by a published recipe, straight from a folder of MP4 clips."""

import time
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dfmnist.core.config import plain
from dfmnist.core.console import say, show
from dfmnist.core.errors import InputError
from dfmnist.core.files import claim_folder, holds_folder, read_json, sha256_file, write_json
from dfmnist.core.lightning import is_main, run, save_checkpoint
from dfmnist.fomm.checkpoint import check_weights, save_networks, training_seeds
from dfmnist.fomm.networks.generator import Generated
from dfmnist.fomm.networks.keypoints import Keypoints
from dfmnist.fomm.networks.vgg import SOURCE, load_vgg
from dfmnist.fomm.training.clips import (
    TEST,
    TRAIN,
    Pairs,
    People,
    TrainingPair,
    actor_seeds,
    load_people,
    summary,
    training_folder,
)
from dfmnist.fomm.training.contact_sheet import save_sheet, with_points
from dfmnist.fomm.training.trainer import (
    CHECKPOINT,
    CONFIG,
    CURVE,
    PRECISIONS,
    RUN_KIND,
    WEIGHTS,
    Machine,
    append_row,
    check_same,
    make_trainer,
)
from dfmnist.fomm.training.vox import PublishedConfig, PublishedModule

SHEET_PAIRS = 6
"""Number of pairs on the contact sheet."""
_SHEET_EPOCH = 1_000_003
"""Epoch whose draws are the sheet's pairs; no training reaches it."""


@holds_folder("out", when=is_main)
def train_published(
    config: PublishedConfig,
    clips: Path,
    out: Path,
    *,
    vgg: Path | None = None,
    initial: Path | None = None,
    stop_after: int | None = None,
    machine: Machine | None = None,
    person: str = "file",
    skip_broken: bool = False,
) -> Path:
    """Train on the clips under `clips`, from `out`'s last checkpoint if it has one.

    `clips` may hold `train` and `test`; the contact sheet then shows people of `test`. `vgg` is
    torchvision's file of VGG-19, given if and only if `config.pictures` is `vgg`. `initial` holds
    weights to start from, `stop_after` is the number of epochs in this call. Writes `config.json`,
    `clips.json` (the check of the clips), `last.safetensors` (float16, for use), `last.ckpt` (the
    full state, with the discriminator), `curve.csv`, `tensorboard/` and `sheets/*.png` under
    `out`; returns the path of the weights. Raises `InputError`.
    """
    machine = machine or Machine()
    perceptual_network = _perceptual_network(config, vgg)
    if config.batch_size % machine.world:
        text = f"--batch-size {config.batch_size} for {machine.world} devices"
        raise InputError(f"{text}; expected a multiple: it counts the pairs of all together")
    folder = training_folder(clips)
    check_weights(initial)
    claim_folder(out, RUN_KIND)
    people = load_people(folder, out / "clips.json", person=person, skip_broken=skip_broken)
    draws = len(people) * config.repeats
    if draws < config.batch_size:
        text = f"holds {len(people)} people, {draws} draws an epoch"
        raise InputError.of(folder, text, f"{config.batch_size} for one step (--batch-size)")
    shown = _shown_people(clips, out, people, person)
    about = {
        "recipe": plain(config),
        "pictures": _loss_text(config, vgg),
        "vgg_sha256": sha256_file(vgg) if vgg else None,
        "clips": summary(people, folder),
    }
    checkpoint = out / CHECKPOINT
    seen = actor_seeds(people) | (training_seeds(initial) if initial else set())
    if checkpoint.is_file():
        check_same(out / CONFIG, about, free=("recipe.epochs", "pictures"))
        seen |= set(read_json(out / CONFIG)["identity_seeds"])
    about["identity_seeds"] = sorted(seen)
    write_json(out / CONFIG, {**about, "machine": plain(machine)})
    if is_main():
        say(f"pictures: {about['pictures']}")
    torch.set_flush_denormal(True)  # Gaussians have denormal tails, which are slow
    if machine.threads:
        torch.set_num_threads(machine.threads)
    module = PublishedModule(config, people, perceptual_network, machine.loader_processes)
    if initial is not None and not checkpoint.is_file():
        module.start_from(initial)
    trainer = _trainer(config, machine, out, stop_after, _PublishedEpochEnd(out, shown, about))
    try:
        run(module, trainer, checkpoint)
    except InputError as error:  # one of a decoding process has a traceback before its message
        last = str(error).strip().splitlines()[-1]
        raise InputError(last.rsplit("InputError: ", 1)[-1]) from None
    return out / WEIGHTS


def _perceptual_network(config: PublishedConfig, vgg: Path | None) -> Any:
    """VGG-19 from the file `vgg`, or None; raises `InputError` if that contradicts the recipe."""
    if config.pictures == "vgg" and vgg is None:
        raise InputError(
            f"--pictures vgg without --vgg; expected torchvision's file ({SOURCE}), "
            "or --pictures pyramid for another loss, of pixels and gradients"
        )
    if config.pictures != "vgg" and vgg is not None:
        raise InputError(f"--vgg with --pictures {config.pictures}; expected --pictures vgg")
    return load_vgg(vgg) if vgg is not None else None


def _loss_text(config: PublishedConfig, vgg: Path | None) -> str:
    """Text for the record of a run that says how pictures are compared."""
    w = config.weights
    if vgg is not None:
        return f"VGG-19 perceptual loss as published, {w.perceptual:g} a layer, from {vgg.name}"
    return (
        "NOT the published perceptual loss, for want of VGG-19's weights: L1 of pixels "
        f"({w.pyramid:g}, mean of {len(config.scales)} sizes) and of gradients ({w.gradient:g})"
    )


def _shown_people(clips: Path, out: Path, people: People, person: str) -> People:
    """People on the contact sheet: those of `test`, or without it the training people."""
    test = clips / TEST
    if not (clips / TRAIN).is_dir() or not test.is_dir():
        return people
    return load_people(test, out / "clips-test.json", person=person, skip_broken=True)


def _trainer(
    config: PublishedConfig,
    machine: Machine,
    out: Path,
    stop_after: int | None,
    watch: L.Callback,
) -> L.Trainer:
    strategy = "auto"
    if machine.world > 1:  # each backward pass reaches either the generator or the discriminator
        strategy = "ddp_find_unused_parameters_true" if config.adversarial else "ddp"
    return make_trainer(
        out,
        watch,
        max_epochs=stop_after or config.epochs,
        strategy=strategy,
        precision=PRECISIONS[machine.precision],
        **machine.options(),  # batch norm over all devices, as published
        reload_dataloaders_every_n_epochs=1,
    )


class _PublishedEpochEnd(L.Callback):
    """Callback that writes contact sheet, curve, weights and checkpoint after each epoch."""

    def __init__(self, out: Path, shown: People, about: dict[str, Any]) -> None:
        self.out, self.shown, self.about = out, shown, about
        self.clock = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, PublishedModule)
        # on every process, because the mean over all of them is computed here
        terms = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if bad := [name for name, value in terms.items() if not np.isfinite(value)]:
            raise InputError(
                f"{self.out}: {bad[0]} is {terms[bad[0]]} in epoch {trainer.current_epoch + 1}; "
                "expected a number; the last good checkpoint is kept"
            )
        if trainer.is_global_zero:
            self._write(trainer, pl_module, terms)
        save_checkpoint(trainer, self.out / CHECKPOINT)

    def _write(self, trainer: L.Trainer, module: PublishedModule, terms: dict[str, float]) -> None:
        epoch, now = trainer.current_epoch + 1, time.monotonic()
        sheet = self._sheet(module, self.out / "sheets" / f"{epoch:04d}.png")
        row = {"epoch": float(epoch), **terms, **sheet, "seconds": now - self.clock}
        self.clock = now
        append_row(self.out / CURVE, row)
        if trainer.logger is not None:
            trainer.logger.log_metrics({k: v for k, v in row.items() if k != "epoch"}, epoch)
        text = " ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
        show(f"{time.strftime('%H:%M:%S')} epoch {epoch} {text}")
        save_networks(
            self.out / WEIGHTS,
            module.config.model,
            module.kp_detector,
            module.generator,
            {**self.about, "epochs": epoch},
        )

    @torch.no_grad()
    def _sheet(self, module: PublishedModule, path: Path) -> dict[str, float]:
        """Write the contact sheet of fixed pairs; returns their L1 error and that of no motion."""
        c = module.config
        pairs = Pairs(
            self.shown, repeats=SHEET_PAIRS, size=c.model.image_size, jitter=0.0, seed=c.seed,
            epoch=_SHEET_EPOCH,
        )  # fmt: skip
        drawn = [pairs[i] for i in range(SHEET_PAIRS)]
        batch = TrainingPair(*(torch.stack(x).to(module.device) for x in zip(*drawn, strict=True)))
        module.eval()
        source, driving = module.kp_detector(batch.source), module.kp_detector(batch.driving)
        made = module.generator(batch.source, source, driving)
        module.train()
        save_sheet(path, _columns(batch, source, driving, made))
        return {
            "sheet_l1": float((made.prediction - batch.driving).abs().mean()),
            "sheet_l1_still": float((batch.source - batch.driving).abs().mean()),
        }


def _columns(
    batch: TrainingPair, source: Keypoints, driving: Keypoints, made: Generated
) -> list[Tensor]:
    """Columns of the sheet: source and driving frame with keypoints, generated frame, occlusion."""
    size = batch.source.shape[-1]
    occlusion = F.interpolate(made.occlusion, size=(size, size)).expand(-1, 3, -1, -1)
    return [
        with_points(batch.source, source.value),
        with_points(batch.driving, driving.value),
        made.prediction,
        occlusion,
    ]
