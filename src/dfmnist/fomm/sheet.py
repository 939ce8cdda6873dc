"""A picture sheet: what training makes, at a glance."""

from pathlib import Path

import torch
from PIL import Image

from dfmnist.core.files import atomic_path
from dfmnist.fomm.data import Batch
from dfmnist.fomm.generator import Generated


def save_sheet(path: Path, batch: Batch, made: Generated) -> None:
    """One row a pair: source, driver, wanted, made, warped source; PNG."""
    cross = len(batch.driver)
    driver = torch.cat([batch.target[: len(batch.target) - cross], batch.driver])
    columns = [batch.source, driver, batch.target, made.prediction]
    if made.warped is not None:
        columns.append(made.warped)
    sheet = torch.cat([torch.cat(list(column), dim=1) for column in columns], dim=2)
    pixels = (sheet.permute(1, 2, 0).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary)
