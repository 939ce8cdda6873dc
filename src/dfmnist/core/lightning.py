"""Lightning with the same settings in every training."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.trainer.states import TrainerStatus
from lightning.pytorch.utilities import rank_zero_only
from rich.progress import Progress, TaskID

from dfmnist.core.checkpoints import read_pickle
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path


def is_main() -> bool:
    """True in the one process that writes files and messages."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0  # Lightning's, from the environment


def save_checkpoint(trainer: pl.Trainer, path: Path) -> None:
    """Write Lightning's whole state by rename. Every process must call it."""
    if not trainer.is_global_zero:
        trainer.save_checkpoint(path)  # takes part, writes nothing
        return
    with atomic_path(path) as temporary:
        trainer.save_checkpoint(temporary)


def run(module: pl.LightningModule, trainer: pl.Trainer, checkpoint: Path, **more: Any) -> None:
    """Call `trainer.fit`, from `checkpoint` if it exists. Ctrl-C raises `KeyboardInterrupt`.

    A checkpoint is read without running any code that it may hold. Raises `InputError` for a file
    that is no checkpoint.
    """
    start = checkpoint if checkpoint.is_file() else None
    trainer.strategy.checkpoint_io = _OwnCheckpoints()
    with quiet_lightning():
        try:
            trainer.fit(module, ckpt_path=start, weights_only=True, **more)
        except SystemExit:
            if trainer.state.status == TrainerStatus.INTERRUPTED:  # Lightning hides Ctrl-C
                raise KeyboardInterrupt from None
            raise


class _OwnCheckpoints(TorchCheckpointIO):
    """Reads a checkpoint once, without running code. Raises `InputError` for another file."""

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        expected = "the checkpoint of this training; delete it to begin anew"
        held = read_pickle(Path(path), expected)
        if "state_dict" not in held:
            raise InputError.of(path, "holds no state_dict", expected)
        return held


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hide Lightning's tips, and its warnings about settings that are chosen on purpose."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class BatchProgress(pl.Callback):
    """Progress of a training: its batches of training and validation, over all epochs.

    Only the first of several processes shows it.
    """

    def __init__(
        self, bar: Progress, describe: str, validation_batches: int, *, quiet: bool = False
    ) -> None:
        """`bar` is started already; `describe` names the training.

        `validation_batches` is the number of batches of one validation in this process.
        """
        self._bar, self._describe, self._quiet = bar, describe, quiet
        self._validation_batches = validation_batches
        self._task: TaskID | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with the epochs that an earlier process finished."""
        each = int(trainer.num_training_batches) + self._validation_batches
        self._task = self._bar.add_task(
            self._describe,
            total=each * (trainer.max_epochs or 1),
            completed=each * trainer.current_epoch,
            visible=trainer.is_global_zero and not self._quiet,
        )

    def on_train_batch_end(self, *_: Any) -> None:
        """Advance by a training batch."""
        self._advance()

    def on_validation_batch_end(self, *_: Any) -> None:
        """Advance by a validation batch."""
        self._advance()

    def _advance(self) -> None:
        if self._task is not None:
            self._bar.advance(self._task)
