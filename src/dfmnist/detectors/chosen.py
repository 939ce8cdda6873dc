"""The detector that `detect` asks: one that ships, a run, a file of weights, a published name.

Each comes with what is known of it: what it was trained on, how well it did on its own validation,
and what it cannot tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file
from dfmnist.core.published_weights import IMAGENET, PUBLISHED, get
from dfmnist.detectors import shipped
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.familiar import Familiar, read_familiar
from dfmnist.detectors.networks.builders import build, new_network
from dfmnist.detectors.networks.load import fitting_state
from dfmnist.detectors.networks.names import NETWORKS
from dfmnist.detectors.networks.weights import check
from dfmnist.detectors.run import (
    RUN,
    WEIGHTS,
    Run,
    is_finished,
    load_run,
    read_calibration,
)
from dfmnist.detectors.verdict import DetectorFacts, Known, Validation
from dfmnist.stats.intervals import Z95

UNKNOWN = "not recorded"
_ONLY_ITS_KIND = (
    "It judges single frames of a face's crop, and knows the kinds of fakes that it was trained on."
)
_NO_LIMIT = (
    "It cannot say that a face is outside what it knows: no limit was measured for these weights."
)


@dataclass(frozen=True)
class ChosenDetector:
    """A detector that is ready to judge, and what is known of it."""

    run: Run
    known: Familiar | None
    """The clips that it knows; None where nothing was measured."""
    facts: DetectorFacts


def choose_detector(text: str | Path | None = None) -> ChosenDetector:
    """The detector that `text` names: None is the one that ships.

    `text` is the folder of a finished run, a file of weights (of a run, or with the public names of
    one of the networks), or a name of `PUBLISHED` that was fetched. Raises `InputError`.
    """
    if text is None:
        return chosen_run(load_run(shipped.FOLDER), shipped.NAME)
    path = Path(text)
    if is_finished(path):
        return chosen_run(load_run(path), path.resolve().name)
    if path.is_file():
        if path.name == WEIGHTS and is_finished(path.parent):
            return chosen_run(load_run(path.parent), path.resolve().parent.name)
        return _of_file(path)
    if str(text) in PUBLISHED:
        return _published(str(text))
    names = [name for name, known in PUBLISHED.items() if _is_detector(name)]
    what = "no such run, file or name"
    if path.is_dir():
        what = f"holds no {RUN}: no training run, or none that has finished"
    expected = f"the folder of a finished run, a file of weights, or one of {', '.join(names)}"
    raise InputError.of(path, what, expected)


def _is_detector(name: str) -> bool:
    known = PUBLISHED[name]
    return bool(known.network) and known.trained_on != IMAGENET


def chosen_run(run: Run, name: str) -> ChosenDetector:
    """A finished run as a detector under `name`. Raises `InputError` for a damaged file of it."""
    sha256 = sha256_file(run.folder / WEIGHTS)
    known = read_familiar(run.folder, sha256)
    validation = _validation(run.record)
    facts = DetectorFacts(
        name=name,
        network=run.config.network,
        trained_on=_trained_on(run),
        weights_sha256=sha256,
        threshold=run.calibration.threshold,
        validation=validation,
        knows=None if known is None else Known(
            clips=known.clips, people=known.people, limit=known.limit
        ),
        cannot_tell=_cannot_tell(run, known),
        no_verdict=guessed(validation, _classes(run.record)),
    )  # fmt: skip
    return ChosenDetector(run, known, facts)


def _validation(record: dict[str, Any]) -> Validation | None:
    best, counts = record.get("best_validation"), _classes(record)
    if not isinstance(best, dict) or not {"val_auc", "val_accuracy"} <= best.keys():
        return None
    auc, accuracy = (float(best[name]) for name in ("val_auc", "val_accuracy"))
    return Validation(auc=auc, accuracy=accuracy, clips=sum(counts))


def _classes(record: dict[str, Any]) -> tuple[int, int]:
    """Numbers of fake and of real validation clips that a run's record states."""
    try:
        counts = record["counts"]["validation"]
        return int(counts["fake"]), int(counts["real"])
    except (KeyError, TypeError, ValueError):
        return 0, 0


def guessed(validation: Validation | None, clips: Sequence[int]) -> str:
    """Why a detector with this validation gives no verdict; empty if it gives one.

    It guessed if the 95% interval of its AUC reaches 0.5. The standard error is Hanley and McNeil's
    (Radiology 143, 1982) for `clips` fake and real clips, each counted as one sample, since frames
    of a clip are not independent.
    """
    if validation is None:
        return ""
    auc = validation.auc
    fakes, reals = (max(count, 1) for count in clips)
    both, twice = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    square = auc * (1 - auc) + (fakes - 1) * (both - auc**2) + (reals - 1) * (twice - auc**2)
    # the formula is 0 where all clips are in order, which happens by chance with a few of them
    error = max(sqrt(max(square, 0) / (fakes * reals)), 1 / sqrt(fakes * reals))
    low = auc - Z95 * error
    if low > 0.5:
        return ""
    return (
        f"on its own {sum(clips)} validation clips it was not above chance (AUC {auc:.3f}; the "
        f"95% interval begins at {low:.3f}, and 0.5 is guessing)"
    )


def _trained_on(run: Run) -> str:
    about = run.record.get("trained_on")
    if isinstance(about, dict) and "splits" in about:
        train = about["splits"]["train"]
        clips = train["clips_each_quality"]
        return (
            f"{train['people']} synthetic actors: {clips['real']} real clips and {clips['fake']} "
            f"fakes in {', '.join(train['qualities'])}"
        )
    counts = run.record.get("counts", {}).get("train")
    manifest = str(run.record.get("manifest_hash") or "")[:12]
    if not counts or not manifest:
        return UNKNOWN
    return (
        f"{counts['real']} real and {counts['fake']} fake clips in {run.config.quality} of the "
        f"dataset {manifest}"
    )


def _cannot_tell(run: Run, known: Familiar | None) -> tuple[str, ...]:
    told = [_ONLY_ITS_KIND]
    about = run.record.get("trained_on")
    if isinstance(about, dict) and about.get("never_shown"):
        told.append(f"It was never shown: {'; '.join(about['never_shown'])}.")
    if known is None:
        told.append(_NO_LIMIT)
    else:
        told.append(
            f"Where a face's features lie further from those of {known.people} validation people "
            "than 95% of their clips do, it says so in place of a verdict; a face within that "
            "limit can still be a kind of fake that it does not know."
        )
    return tuple(told)


def _of_file(path: Path) -> ChosenDetector:
    """A file of weights, whose network is the one that fits it."""
    found = sha256_file(path)
    known = next((k for k in PUBLISHED.values() if k.sha256 and found.startswith(k.sha256)), None)
    if known is not None and _is_detector(known.name):
        return _foreign(path, path.name, known.network, known.trained_on)
    fits = [name for name in NETWORKS if _fits(name, path)]
    if len(fits) != 1:
        # the message of one network says what is wrong with a file that can be read by none
        fitting_state(new_network(NETWORKS[0]), path)
        raise InputError.of(
            path, "fits none of the networks with one output", "weights of a detector"
        )
    trained_on = f"something that the file does not say ({UNKNOWN})"
    return _foreign(path, path.name, fits[0], trained_on)


def _fits(name: str, path: Path) -> bool:
    try:
        return fitting_state(new_network(name), path)[1] == "all layers"
    except InputError:
        return False


def _published(name: str) -> ChosenDetector:
    known = PUBLISHED[name]
    if not _is_detector(name):
        what = "knows objects, not fakes: it is a start for training" if known.network else (
            "is no detector")  # fmt: skip
        names = ", ".join(n for n in PUBLISHED if _is_detector(n))
        raise InputError.of(f"--run {name}", what, f"a finished run, or one of {names}")
    path = get(name, partial(check, name))
    return _foreign(path, name, known.network, known.trained_on)


def _foreign(path: Path, name: str, network: str, trained_on: str) -> ChosenDetector:
    """A detector that comes without a run's record."""
    config = TrainConfig(network=network)
    net = build(network, path, **config.network_options)
    calibration = read_calibration(path) if path.suffix == ".safetensors" else None
    record = {} if calibration is None else {"calibration": vars(calibration)}
    run = Run(path, config, record, net)
    told = [_ONLY_ITS_KIND, _NO_LIMIT]
    if calibration is None:
        told.append("Its P(fake) is not calibrated; it calls a face fake from 0.5 on.")
    facts = DetectorFacts(
        name=name,
        network=network,
        trained_on=trained_on,
        weights_sha256=sha256_file(path),
        threshold=run.calibration.threshold,
        validation=None,
        knows=None,
        cannot_tell=tuple(told),
    )
    return ChosenDetector(run, None, facts)
