"""Every number that *DeepFake MNIST+* prints, each with its place.

Accuracies and rates are fractions (0.9658 for the printed 96.58%). What the text states is
exact; what was read off a bar chart by eye (±0.005) says so in `read_off`.
"""

from dataclasses import dataclass

from dfmnist.core.actions import TEN, Action
from dfmnist.core.choices import QUALITIES

CITATION = "Huang, Wang, Du, Du and Xu: DeepFake MNIST+: A DeepFake Facial Animation Dataset, 2021"

MODELS: tuple[str, ...] = ("resnet50", "resnet101", "resnet152", "xception", "mesoinception4")
"""Detectors in the order of Table 3's columns."""
MODEL_TITLES: dict[str, str] = {
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "resnet152": "ResNet-152",
    "xception": "Xception",
    "mesoinception4": "MesoInception-4",
    "efficientnet_lite0": "EfficientNet-Lite0",
}
"""The paper's five detectors, then this project's own."""
OWN_MODELS: tuple[str, ...] = ("efficientnet_lite0",)
"""Detectors that the paper does not have; shown beside its five where they are run."""
ALL_MODELS = (*MODELS, *OWN_MODELS)


def model_title(name: str) -> str:
    """The detector's name for people; that of a detector which is none of these is its own."""
    return MODEL_TITLES.get(name, name)


FOUR: tuple[str, ...] = ("resnet50", "resnet152", "xception", "mesoinception4")
"""The detectors of Tables 4 and 5."""


@dataclass(frozen=True)
class PaperValue:
    """One number of the paper."""

    value: float
    """The number as a fraction, unless the name of its table says otherwise."""
    place: str
    """Where the number is printed, as in "Table 3, raw, Resnet50"."""
    read_off: bool = False
    """Whether the number was read off a chart by eye, right to half a percentage point."""
    note: str = ""

    @property
    def percent(self) -> str:
        """The number in percent: `96.58%`, or `~94.5%` when read off a chart."""
        text = f"{self.value * 100:.3f}".rstrip("0").rstrip(".")
        return f"{'~' if self.read_off else ''}{text}%"


@dataclass(frozen=True)
class DatasetRow:
    """A row of Table 1."""

    name: str
    real: int
    fake: int
    generation: str
    action_specific: bool
    place: str = "Table 1"


TABLE1: tuple[DatasetRow, ...] = (
    DatasetRow("UADFV", 49, 49, "face swap", False),
    DatasetRow("Celeb-DF", 590, 5_639, "face swap", False),
    DatasetRow("DFDC", 48_190, 104_500, "face swap", False),
    DatasetRow("FF++", 1_000, 4_000, "animation & swap", False),
    DatasetRow("ForgeryNet", 91_630, 121_617, "animation & swap", False),
    DatasetRow("DeepFake MNIST+", 10_000, 10_000, "image animation", True),
)


def _grid(
    table: str, rows: tuple[str, ...], columns: tuple[str, ...], percents: tuple[float | None, ...]
) -> dict[tuple[str, str], PaperValue]:
    """Rows of printed percentages as `(row, column) -> PaperValue`; None is a dash in print."""
    assert len(percents) == len(rows) * len(columns), table
    cells = [(row, column) for row in rows for column in columns]
    return {
        cell: PaperValue(round(percent / 100, 6), f"{table}, {cell[0]}, {cell[1]}")
        for cell, percent in zip(cells, percents, strict=True)
        if percent is not None
    }


# fmt: off
TABLE2: dict[tuple[str, str], PaperValue] = _grid(
    "Table 2",
    ("original", "on DeepFake MNIST+", "fine-tuned"),
    ("DeepFake MNIST+", "deepfake", "NeuralTextures", "Face2Face"),
    (96.58, 99.7, 99.2, 98.9,
     None, 43.7, 63.6, 67.5,
     95.3, 98.46, 98.1, 98.49),
)
"""ResNet-50, raw. `original`: on its own set; `on DeepFake MNIST+`: the FF++ model tested on it;
`fine-tuned`: the DeepFake MNIST+ model fine-tuned with FF++, tested on each."""

TABLE3: dict[tuple[str, str], PaperValue] = _grid(
    "Table 3", QUALITIES, MODELS,
    (96.58, 96.64, 96.18, 92.38, 60.39,
     94.32, 94.87, 94.90, 85.52, 58.58,
     91.49, 90.44, 91.27, 83.143, 57.90),
)
"""`(quality, model)`: frame accuracy, trained and tested on one quality."""

CROSS: tuple[tuple[str, str], ...] = (
    ("raw", "c23"), ("raw", "c40"), ("c23", "raw"), ("c23", "c40"), ("c40", "raw"), ("c40", "c23"),
)
_CROSS_NAMES = tuple(f"{a}->{b}" for a, b in CROSS)
TABLE4: dict[tuple[str, str], PaperValue] = _grid(
    "Table 4", FOUR, _CROSS_NAMES,
    (85.52, 71.3, 95.16, 82.98, 59, 61.02,
     79.23, 68.12, 82.33, 73.60, 76.72, 76.69,
     79.17, 71.83, 87.89, 68.99, 67.38, 62.9,
     51.37, 56.92, 57.01, 49.53, 55.65, 58.64),
)
"""`(model, "trained->tested")`: frame accuracy across qualities."""

TABLE5: dict[tuple[str, str], PaperValue] = _grid(
    "Table 5", QUALITIES, FOUR,
    (93.57, 95.78, 90.82, 59.47,
     90.69, 92.11, 83.28, 56.94,
     85.56, 88.32, 82.43, 55.38),
)
"""`(tested quality, model)`: trained on mixed qualities."""

TABLE6: dict[tuple[str, str], PaperValue] = _grid(
    "Table 6", ("without fine-tuning", "fine-tuned"), ("DFDC", "DF-1.0", "Celeb-DF"),
    (61.2, 60.7, 57.2,
     95.6, 96.1, 95.1),
)
"""Tested on DeepFake MNIST+ by models trained on other sets, before and after fine-tuning."""
# fmt: on

FIGURE2_SPOOF_RATE: dict[Action, PaperValue] = {
    Action.YAW: PaperValue(0.23, "Section 3.2 and Figure 2, yaw", note="the lowest"),
    Action.SMILE: PaperValue(0.61, "Section 3.2 and Figure 2, smile", note="the highest"),
}
"""Share of animated clips that passed the commercial liveness services. The other eight bars
are not printed as numbers and the seed text has no picture of them."""

FIGURE3_SHARES: tuple[float, ...] = (1.0, 0.30, 0.10, 0.05, 0.01, 0.001)
"""The paper's sizes as shares of its 10,000, and so of our training split."""

FIGURE4_SHARES: dict[str, float] = {"1:2": 0.5, "1:10": 0.1}
"""Proportions that the text names: half or a tenth of one class ("1:2 more real videos")."""
FIGURE4_ACCURACY: dict[str, PaperValue] = {
    "10% of the fakes": PaperValue(0.85, "Section 5.3, Figure 4", note="about 10 points lower"),
}
FIGURE4_DROP: dict[str, PaperValue] = {
    "10% of the fakes": PaperValue(0.10, "Section 5.3, Figure 4"),
    "10% of the reals": PaperValue(0.05, "Section 5.3, Figure 4"),
}
"""Accuracy lost, in fractions, against the full training set."""


def _chart(
    figure: str, exact: dict[Action, float], read_off: dict[Action, float]
) -> dict[Action, PaperValue]:
    cells = {a: PaperValue(v / 100, f"{figure}, {a.value}") for a, v in exact.items()}
    cells |= {a: PaperValue(v / 100, f"{figure}, {a.value}", True) for a, v in read_off.items()}
    return {action: cells[action] for action in TEN if action in cells}


FIGURE5_SINGLE_ACTION: dict[Action, PaperValue] = _chart(
    "Figure 5",
    exact={
        Action.BLINK: 69.08,
        Action.NOD: 80.46,
        Action.RIGHT_SLOPE: 77.02,
        Action.LEFT_SLOPE: 75.89,
        Action.SMILE: 67.36,
        Action.SURPRISE: 79.98,
    },
    read_off={
        Action.YAW: 72.3,
        Action.OPEN_MOUTH: 73.7,
        Action.LOOK_UP: 70.5,
        Action.EMBARRASSMENT: 74.0,
    },
)
"""ResNet-50 trained on one action's fakes, raw, tested on all."""
FIGURE5_MEAN = PaperValue(0.743, "Section 5.4, mean of Figure 5")
FIGURE5_ALL_ACTIONS = PaperValue(0.934, "Section 5.4, all actions at a corpus size of 1,000")

FIGURE6_RAW: dict[Action, PaperValue] = _chart(
    "Figure 6, raw",
    exact={Action.LEFT_SLOPE: 92.3},
    read_off={
        Action.BLINK: 99.5,
        Action.YAW: 94.5,
        Action.OPEN_MOUTH: 97.5,
        Action.NOD: 94.5,
        Action.LOOK_UP: 96.0,
        Action.RIGHT_SLOPE: 94.0,
        Action.SMILE: 99.4,
        Action.SURPRISE: 97.3,
        Action.EMBARRASSMENT: 94.5,
    },
)
"""ResNet-50, accuracy per action. The prose says that smile and blink reach 100%; the chart
reads a little lower."""
FIGURE6_C40: dict[Action, PaperValue] = _chart(
    "Figure 6, heavy compression",
    exact={Action.LEFT_SLOPE: 88.24, Action.EMBARRASSMENT: 87.5},
    read_off={},
)
FIGURE6_REAL_RAW = PaperValue(0.945, "Figure 6, raw, original", read_off=True)

FIGURE3_WORDS: dict[str, str] = {
    "10% of the corpus": "a small downgrade on raw, more on compressed clips (section 5.3)",
    "1% of the corpus": "a dramatic decrease in every quality (section 5.3)",
    "10 animation clips": "tends to random guessing (section 5.3)",
    "mixed": "slightly lower than single quality for a large corpus, higher for a small one, "
    "for light compression above all (section 5.3)",
}
"""What the prose says of Figure 3; its points are not printed as numbers."""
FIGURE7_WORDS: dict[str, str] = {
    "open mouth": "the mouth",
    "look up": "head and neck",
    "yaw, slopes": "the profile of the face",
}
"""Where the paper's maps lie (section 5.5)."""

TRAINING_FAKES_OF_AN_ACTION, TRAINING_REALS = 700, 7_000
"""Clips of the paper's training split (section 4)."""


def figure6(action: Action | None, quality: str) -> PaperValue | None:
    """The paper's accuracy for an action (None: the real class) at a quality, if it gives one."""
    if quality == "raw":
        return FIGURE6_REAL_RAW if action is None else FIGURE6_RAW.get(action)
    if quality == "c40" and action is not None:
        return FIGURE6_C40.get(action)
    return None
