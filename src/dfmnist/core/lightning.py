"""Running Lightning the same way in every training."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.trainer.states import TrainerStatus


def run(module: pl.LightningModule, trainer: pl.Trainer, checkpoint: Path, **more: Any) -> None:
    """`trainer.fit`, from `checkpoint` if there is one; Ctrl-C stays Ctrl-C."""
    with hushed():
        try:
            trainer.fit(module, ckpt_path=checkpoint if checkpoint.is_file() else None, **more)
        except SystemExit:
            if trainer.state.status == TrainerStatus.INTERRUPTED:  # Lightning hides Ctrl-C
                raise KeyboardInterrupt from None
            raise


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Without Lightning's tips and its warnings about what we chose on purpose."""
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
