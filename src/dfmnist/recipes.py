"""Whole systems as plain functions: each returns the configs of every stage, and says what
departs from the paper."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from dfmnist.core.actions import Action
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks.names import NetworkName, published_size_px
from dfmnist.experiments.paper import FOUR
from dfmnist.experiments.recipe import CLAIM_STEPS, SMOKE_STAMP, ExperimentRecipe
from dfmnist.pipeline.config import BuildConfig, FilmConfig

PAPER_NETWORKS: tuple[NetworkName, ...] = (
    "resnet50", "resnet101", "resnet152", "xception", "mesoinception4",
)  # fmt: skip
LICENCE = "CC0-1.0 (synthetic actors; body and face model: MakeHuman data, CC0)"
CONSENT = "none needed: the people are synthetic and depict nobody"

SYNTHETIC = (
    "The people are synthetic actors, not people: figures here say nothing about detecting "
    "animations of real faces."
)
NOT_IMAGENET = (
    "No network starts from ImageNet weights (they are not shipped); all layers are trained "
    "from random values, where the paper fine-tunes ImageNet ResNets."
)
REAL_CLASS = (
    "Real clips perform the same ten actions and talk, so that the action does not betray the "
    "class; the paper's real clips (VoxCeleb1) only talk."
)
LOCAL_DETECTORS = (
    "The screening uses two local liveness detectors with thresholds fixed beforehand on real "
    "(bona fide) clips, where the paper asked two vendors' services."
)
SMALL_ANIMATOR = (
    "Animations come from a small First Order Motion Model trained on synthetic actors, where "
    "the paper used the authors' vox weights; it blends the warped source with generated pixels."
)
USUAL_BETAS, PRINTED_BETAS = (0.9, 0.999), (0.999, 0.9)
"""Adam's betas as they are usually set, and as the paper prints them (section 4)."""
BETAS = "Adam runs with betas (0.9, 0.999); the paper prints (0.999, 0.9), taken for a slip."


_DEMO_TRAINING = (
    "EfficientNet-Lite0 from ImageNet weights stands beside two of the paper's five detectors, "
    "MesoInception-4 and ResNet-50. The figures are EfficientNet-Lite0's.",
    "Networks see native pixels: random crops of 160, 128 and 64 px of the 256 px frames. The "
    "paper resizes whole frames to 224 or 256 px.",
    "ResNet-50 starts from random values, and its residual blocks as the identity, and is run on "
    "raw clips alone; the paper fine-tunes ImageNet weights in three qualities.",
    "Each batch holds a fake and a real frame of the same person and action, with one crop and "
    "one flip; the paper names no pairing and no augmentation.",
    "8 evenly spaced frames a clip in batches of 32: 60 steps for EfficientNet-Lite0, 400 for "
    "MesoInception-4 (without dropout) and 120 for ResNet-50 (paper: 50 epochs in batches of 64).",
    "Batch norm's statistics are computed anew before each validation; the paper keeps running "
    "averages.",
    BETAS,
)
"""What differs from the paper in the demo's trainings."""
DEMO_NAMES = (
    "table1", "table3", "figure1", "figure2", "figure6", "figure7", "figure8", "figure9",
    "figure10",
)  # fmt: skip
"""Tables and figures of the demo: all need the trainings of Table 3 alone, or none."""


@dataclass(frozen=True)
class Recipe:
    """Everything that makes one system from footage to report."""

    name: str
    film: FilmConfig | None
    """Synthetic actors to film; None where the footage is the user's."""
    build: BuildConfig
    experiments: ExperimentRecipe
    """How the tables and figures are made."""
    names: tuple[str, ...]
    """Names of the tables and figures that are made."""
    departures: tuple[str, ...]
    """What differs from the paper, in sentences for the report."""


def smoke() -> Recipe:
    """The smallest size at which every stage still does its work: for tests, not for results."""
    return Recipe(
        name="smoke",
        film=FilmConfig(
            people=(1, 1, 1),
            clips_per_action=(2, 2, 2),
            drivers=(1, 1, 1),
            takes=1,
            num_frames=32,
            actions=(Action.OPEN_MOUTH, Action.LEFT_SLOPE, Action.SURPRISE),
        ),
        build=BuildConfig(
            per_action=3,
            attempts_per_clip=2,
            num_frames=32,
            licence=LICENCE,
            consent=CONSENT,
            synthetic=True,
        ),
        experiments=experiments_smoke(),
        names=DEMO_NAMES,
        departures=("Smoke size: a test of the machinery, not a result.", SYNTHETIC),
    )


def demo() -> Recipe:
    """The paper in miniature on synthetic actors: about half an hour on two cores."""
    return Recipe(
        name="demo",
        film=FilmConfig(people=(28, 4, 10), clips_per_action=(8, 2, 2), drivers=(2, 1, 1), takes=1),
        build=BuildConfig(
            per_action=11,
            attempts_per_clip=3,
            licence=LICENCE,
            consent=CONSENT,
            synthetic=True,
        ),
        experiments=_demo_experiments(),
        names=DEMO_NAMES,
        departures=(
            SYNTHETIC,
            REAL_CLASS,
            "11 fakes of each action are asked for, and as many real clips, of 2 seconds each; "
            "the paper has 10,000 of both.",
            "Drivers are split like sources (four synthetic people, one take of each action); "
            "the paper's one volunteer drives all splits.",
            SMALL_ANIMATOR,
            LOCAL_DETECTORS,
            *_DEMO_TRAINING,
        ),
    )


def _demo_experiments() -> ExperimentRecipe:
    """Three networks on native pixels, small enough for a quarter of an hour of two cores."""
    three: tuple[NetworkName, ...] = ("resnet50", "mesoinception4", "efficientnet_lite0")
    return ExperimentRecipe(
        name="demo",
        training=(
            _STUDIED_FROM_IMAGENET,
            _STUDIED,
            replace(
                _STUDIED,
                network="resnet50",
                crop_px=64,
                dropout=None,
                passes=4,  # one validation: whole frames take longer than all its training
                zero_init_residual=True,
                precise_bn_frames=128,
            ),
        ),
        tables={"table3": three, "table4": ("mesoinception4",), "table5": ("mesoinception4",)},
        raw_only=("resnet50",),
        mixed_corpus="mesoinception4",
        main="efficientnet_lite0",
        steps={"efficientnet_lite0": 60, "mesoinception4": 400, "resnet50": 120},
        departures=_DEMO_TRAINING,
    )


def paper(imagenet: Path | None = None, betas: tuple[float, float] = USUAL_BETAS) -> Recipe:
    """The paper's sizes and schedules. Needs the user's footage and, to be practical, a GPU.

    `imagenet` is a folder of weights; it and `betas` are as in `experiments_paper`.
    """
    return Recipe(
        name="paper",
        film=None,
        build=BuildConfig(
            per_action=1000,
            num_frames=50,
            fps=Fraction(25),
            driver_protocol="shared",
            noise_sigma=0.0,
            screen="paper",
            licence="state the licence of your footage",
            consent="state how the people shown agreed",
        ),
        experiments=experiments_paper(imagenet, betas),
        names=("all",),
        departures=(
            *(() if imagenet else (NOT_IMAGENET,)),
            LOCAL_DETECTORS,
            "32 evenly spaced frames a clip; the paper gives no number.",
            "The learning rate decays with power 0.9; the paper gives no power.",
            *(() if betas == PRINTED_BETAS else (BETAS,)),
        ),
    )


def experiments_smoke() -> ExperimentRecipe:
    """Every experiment in the fewest steps that can be run: for tests, not for results."""
    two: tuple[NetworkName, ...] = ("resnet50", "mesoinception4")
    return ExperimentRecipe(
        name="smoke",
        training=tuple(
            TrainConfig(
                network=network,
                size_px=32 if network == "resnet50" else 64,
                frames_per_clip=2,
                epochs=1,
                batch_size=4,
                precision="f32",
            )
            for network in two
        ),
        tables={"table3": two, "table4": two, "table5": two},
        mixed_corpus="mesoinception4",
        main="mesoinception4",
        notes={"figure3": "Mixed quality is MesoInception-4's; the paper took ResNet-152."},
        steps=dict.fromkeys(two, 2),
        surrogates=True,
        stamp=SMOKE_STAMP,
        departures=("Two steps of training: a test of the machinery, not a result.",),
    )


_STUDIED = TrainConfig(
    network="mesoinception4",
    crop_px=128,
    dropout=0.0,
    frames_per_clip=8,
    batch_size=32,
    learning_rate=1e-3,
    augmentation="flip",
    precise_bn_frames=256,
)
"""MesoInception-4 on native pixels; it learns in two or three minutes of one core."""
_STUDIED_FROM_IMAGENET = replace(
    _STUDIED,
    network="efficientnet_lite0",
    weights="imagenet",
    crop_px=160,
    dropout=None,
    learning_rate=5e-4,
)
"""EfficientNet-Lite0 on native pixels; ImageNet weights learn the forgery in few steps."""
_STUDIED_STEPS = 500
_STUDIED_WORDS = (
    "MesoInception-4 takes the place of ResNet-50 outside Tables 3 to 5: 500 steps in batches of "
    "32, learning rate 0.001 (paper: 0.0002), no dropout, flips, random crops of 128 native pixels."
)


def experiments_demo() -> ExperimentRecipe:
    """All experiments on native pixels, 300 steps a run or more, within three hours on two cores.

    The ResNets and Xception are in Tables 3 to 5, as in the paper, and EfficientNet-Lite0 is in
    Table 3; all else is MesoInception-4's.
    """
    networks = PAPER_NETWORKS[:4]
    return ExperimentRecipe(
        name="demo",
        training=(
            _STUDIED,
            *(
                replace(
                    _STUDIED,
                    network=network,
                    crop_px=64,
                    dropout=None,
                    zero_init_residual=network.startswith("resnet"),
                    precise_bn_frames=128,
                )
                for network in networks
            ),
            _STUDIED_FROM_IMAGENET,
        ),
        tables={
            "table3": (*PAPER_NETWORKS, "efficientnet_lite0"), "table4": FOUR, "table5": FOUR,
        },
        mixed_corpus="mesoinception4",
        main="mesoinception4",
        steps={
            **dict.fromkeys(networks, CLAIM_STEPS),
            "mesoinception4": _STUDIED_STEPS,
            "efficientnet_lite0": 100,
        },
        least_fakes=6,
        surrogates=True,
        departures=(
            _STUDIED_WORDS,
            "ResNets and Xception start from random values and have at least 300 steps in batches "
            "of 32 crops of 64 native pixels (paper: ImageNet weights, 50 epochs in batches of 64 "
            "whole frames), at the same rate; ResNets' blocks start as the identity, and batch "
            "norm's statistics are re-estimated before each validation.",
            "EfficientNet-Lite0 from ImageNet weights stands beside the paper's five: 100 steps on "
            "crops of 160 native pixels.",
            BETAS,
        ),
    )  # fmt: skip


def experiments_study() -> ExperimentRecipe:
    """Every experiment with EfficientNet-Lite0 from ImageNet, for several seeds: for a GPU.

    It is the one network here that learns the forgery in few steps, so that differences show.
    """
    one: tuple[NetworkName, ...] = ("efficientnet_lite0",)
    return ExperimentRecipe(
        name="study",
        training=(_STUDIED_FROM_IMAGENET,),
        tables={"table3": one, "table4": one, "table5": one},
        mixed_corpus="efficientnet_lite0",
        main="efficientnet_lite0",
        steps={"efficientnet_lite0": 100},
        least_fakes=6,
        surrogates=True,
        departures=(
            "EfficientNet-Lite0 takes the place of all networks of the paper: 100 steps in batches "
            "of 32 crops of 160 native pixels from ImageNet weights, learning rate 0.0005, flips.",
            BETAS,
        ),
    )


def experiments_paper(
    imagenet: Path | None = None, betas: tuple[float, float] = USUAL_BETAS
) -> ExperimentRecipe:
    """The paper's sizes, schedules and cells; other datasets come from `--other`.

    `betas` are Adam's: the usual pair, or `PRINTED_BETAS`.

    `imagenet` is a folder with `<network>.pth` for the ResNets and Xception (torchvision's and
    timm's files); Xception is then frozen but for its head. Without it all starts at random.
    """

    def training(network: NetworkName) -> TrainConfig:
        config = TrainConfig(
            network=network, size_px=published_size_px(network), pairing="none", betas=betas
        )
        if imagenet is None or network == "mesoinception4":
            return config
        weights = str(imagenet / f"{network}.pth")
        return replace(config, weights=weights, freeze=network == "xception")

    return ExperimentRecipe(
        name="paper",
        training=tuple(map(training, PAPER_NETWORKS)),
        tables={"table3": PAPER_NETWORKS, "table4": FOUR, "table5": FOUR},
        mixed_corpus="resnet152",
        steps=None,
        departures=(
            *(() if imagenet else (NOT_IMAGENET,)),
            "32 evenly spaced frames a clip; the paper gives no number.",
            *(() if betas == PRINTED_BETAS else (BETAS,)),
        ),
    )
