"""A folder as `dfmnist experiment` leaves it, small and written out by hand: the reader's contract.

The numbers stand for nothing and exist in tests only.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from dfmnist.core.files import write_text
from dfmnist.dataset.manifest import Clip, Manifest
from dfmnist.experiments.theme import Theme, draw
from dfmnist.media.image import write_image

STAMP = "smoke, not a result"
COMMON = "Split: by person <nobody is in two splits>."
LEFT_OUT = "not run: ResNet-101 is not in --recipe smoke; dfmnist experiment table3 --recipe paper"

TABLE1 = """# Table 1: datasets

| | real | fake |
|---|---|---|
| DFDC | –<br>*paper: 48,190* | –<br>*paper: 104,500* |
| a\\|b | 9 | 6 |


![Clips of each dataset: DFDC: 48190 real](table1.png)

Rows with a dash are the paper's.
"""
TABLE3 = f"""# Table 3: five detectors, three qualities

| | ResNet-50 | ResNet-101 | ResNet-152 | Xception | MesoInception-4 |
|---|---|---|---|---|---|
| raw | 93.1% [90.2, 95.4]<br>*paper: 96.58%* | not run <sup>1</sup><br>*paper: 96.64%* | – | – | 60.0 ± 0.4% [50.0, 100.0] <sup>2,3</sup><br>*paper: 60.39%* |
| light (c23) | 80.0% [70.0, 90.0] | – | – | – | – |
| heavy (c40) | 70.0% [60.0, 80.0] | – | – | – | – |

1. {LEFT_OUT}
2. {STAMP}
3. not told from chance (60%)

![Accuracy on single frames. raw, ResNet-50: 93%](table3.png)

Differs from the paper. Data: 2 fakes of 2 actions.

{COMMON}
"""  # noqa: E501
FIGURE5 = f"""# Figure 5: trained on a single action

| | raw |
|---|---|
| Yaw | 60.0% [50.0, 70.0] <sup>1</sup><br>*paper: ~72.3%* |

1. {STAMP}

![Accuracy on single frames. Yaw, raw: 60%](figure5.png)

Frames: 2 of each clip.

{COMMON}
"""
FIGURE7 = """# Figure 7: class activation maps



![Figure 7: class activation maps: Yaw](figure7.jpg)

Differs from the paper: these are this dataset's people.
"""
FIGURE10 = """# Figure 10: driving clips



Not run: the dataset has no folder of driving clips; run it with a --data made by `dfmnist build`.
"""


def write_experiments(folder: Path, manifest: Manifest) -> Path:
    """Two tables and three figures below `folder`; returns it."""
    fakes = manifest.select(label="fake", split="test", quality="raw").clips
    _sheet(folder, "table1", TABLE1, pl.DataFrame({"row": ["DFDC"], "real": [48190]}))
    _sheet(folder, "table3", TABLE3, table3())
    _sheet(folder, "figure5", FIGURE5, _cells([("Yaw", "raw", 0.6, 0.5, 0.7, 0)]))
    _sheet(folder, "figure7", FIGURE7, _clips(fakes))
    rows = {"experiment": ["figure10"], "status": ["not run"], "reason": ["no folder"]}
    _sheet(folder, "figure10", FIGURE10, pl.DataFrame(rows))
    for name in ("table1", "table3", "figure5"):
        draw(folder / name, name, name, _paint, (3.0, 2.0))
        write_image(folder / name / f"{name}.png", np.full((20, 30, 3), 255, np.uint8))
    for index in range(len(fakes)):
        tile = np.full((64, 32, 3), 40 * index + 40, np.uint8)
        write_image(folder / "figure7" / f"figure7-{index:02d}.jpg", tile)
    write_image(folder / "figure7" / "figure7.jpg", np.full((64, 96, 3), 90, np.uint8))
    return folder


def table3() -> pl.DataFrame:
    """Table 3's rows, in the paper's order; MesoInception-4 has two seeds."""
    models = ("resnet50", "resnet101", "resnet152", "xception", "mesoinception4")
    cells: list[tuple[str, str, float | None, float, float, int]] = []
    for quality, found in (("raw", 0.931), ("c23", 0.8), ("c40", 0.7)):
        cells.append((quality, models[0], found, found - 0.03, found + 0.02, 0))
        cells += [(quality, model, None, 0.0, 0.0, 0) for model in models[1:4]]
        last = [0.62, 0.58] if quality == "raw" else [None]
        cells += [(quality, models[4], value, 0.5, 1.0, i) for i, value in enumerate(last)]
    return _cells(cells)


def _cells(cells: list[tuple[str, str, float | None, float, float, int]]) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for row, column, value, low, high, seed in cells:
        base = {"row": row, "column": column}
        if value is None:
            rows.append({**base, "status": "not run", "reason": "left out"})
            continue
        about = {
            **base, "status": STAMP if value < 0.7 else "run", "seed": seed, "people": 3,
            "chance": 0.6, "network": "resnet50", "size_px": 32, "frames_per_clip": 2,
            "steps": 2, "initialisation": "random, every layer", "run": "resnet50-raw-0123",
            "value": value, "low": low, "high": high,
        }  # fmt: skip
        rows += [
            {**about, "unit": unit, "measure": measure, "n": n}
            for unit, n in (("frame", 10), ("clip", 5))
            for measure in ("accuracy", "auc")
        ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _clips(clips: tuple[Clip, ...]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"clip_id": c.clip_id, "action": c.action.value, "quality": c.quality.value}
            for c in clips
        ]
    )


def _sheet(folder: Path, name: str, text: str, table: pl.DataFrame) -> None:
    (folder / name).mkdir(parents=True)
    write_text(folder / name / f"{name}.md", text)
    write_text(folder / name / f"{name}.tex", "% LaTeX\n")
    table.write_parquet(folder / name / f"{name}.parquet")


def _paint(figure: Figure, theme: Theme) -> None:
    figure.add_subplot().plot([0, 1], [0, 1], color=theme.fake)
