"""Tables of an evaluation as Markdown, as they stand in `docs/ANIMATOR.md`."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from dfmnist.animator_eval.acceptance import acceptance_criteria, blinks
from dfmnist.animator_eval.identity import can_recognise
from dfmnist.animator_eval.jobs import FOLLOWED, NOISE_SIGMA
from dfmnist.animator_eval.likeness_tables import (
    NO_IDENTITY,
    likeness_table,
    reenactment_tables,
)
from dfmnist.animator_eval.metrics import COMPARED, SignalFit
from dfmnist.animator_eval.records import (
    AFFINE,
    ANIMATED,
    DRIVER,
    METHODS,
    SCREENED,
    STILL,
    Record,
    Transfer,
)
from dfmnist.core.actions import TEN, Action
from dfmnist.core.text import markdown_table

PIXELS: dict[str, tuple[str, str]] = {
    "l1": ("L1", ".4f"),
    "psnr": ("PSNR (dB)", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "akd_px": ("AKD (px)", ".2f"),
    "lost": ("face lost", ".1%"),
}
"""Field of `SignalFit`: the head of its column, and the number format of its mean."""
MOVING_PSNR = {"psnr_moving": ("PSNR, moving (dB)", ".2f")}
POSE = {name: (f"{name.removesuffix('_deg')} (°)", ".2f") for name in COMPARED[:3]}
FACE: dict[str, tuple[str, str]] = {
    "eye_aspect": ("eye opening", ".3f"),
    "mouth_open": ("mouth opening", ".3f"),
    "mouth_width": ("mouth width", ".4f"),
    "mouth_corner_lift": ("corner lift", ".4f"),
    "brow_raise": ("brow raise", ".4f"),
    "gaze_side": ("gaze aside", ".4f"),
    "gaze_down": ("gaze down", ".4f"),
}
OWN_SIGNAL: dict[Action, str] = {
    **FOLLOWED,
    Action.BLINK: "eye_aspect",
    Action.SMILE: "mouth_corner_lift",
    Action.SURPRISE: "brow_raise",
    Action.EMBARRASSMENT: "gaze_down",
}
"""Signal of the face mesh that shows each action best."""
FOLLOWS = (0.8, 0.6, 1.3)
"""Smallest correlation, smallest gain and largest gain of a clip that follows its driver."""


def report(weights: str, about: str, records: Sequence[Record]) -> str:
    """All tables as Markdown; `weights` names the motion model, `about` says what was measured."""
    measured = [record for record in records if not record.problem]
    transfers = [record.transfer for record in measured if record.transfer]
    parts = [f"Weights `{weights}`; {about}.\n", _left_out(records)]
    if rebuilt := [record for record in measured if record.reconstruction]:
        parts += ["### Reconstruction\n", reconstruction_table(rebuilt)]
    if likened := [record.likeness for record in measured if record.likeness]:
        parts += [
            "### Reconstruction: identity, detail, following (correlation / gain)\n",
            likeness_table(
                {m: [one[m] for one in likened] for m in METHODS if m in likened[0]}, "shown"
            ),
        ]
    if moved := [record.reenactment for record in measured if record.reenactment]:
        parts += reenactment_tables(moved)
    if (likened or moved) and not can_recognise():
        parts += [NO_IDENTITY]
    if transfers:
        parts += [
            "### Transfer across identities\n",
            transfer_table(transfers, {**PIXELS, **MOVING_PSNR}),
            transfer_table(transfers, {**POSE, **FACE}),
            "### By action: PSNR on moving pixels, and following\n",
            action_table(transfers),
            "### By action: error in its own signal\n",
            own_signal_table(transfers),
            f"### Screening (camera noise {NOISE_SIGMA:g}, thresholds as shipped)\n",
            screening_table(transfers),
            rejections(transfers),
            "### Accuracy of the face mesh\n",
            mesh_accuracy_table(transfers),
            "### Acceptance criteria\n",
            acceptance_table(transfers),
        ]
    return "\n".join(part for part in parts if part)


def reconstruction_table(records: Sequence[Record]) -> str:
    """Table of the clips rebuilt from their own first frame, with one row per method."""
    rows = []
    for method in (ANIMATED, STILL, AFFINE):
        fits = [r.reconstruction[method] for r in records if method in r.reconstruction]
        rows.append([method, str(len(fits)), *_cells(fits, {**PIXELS, **MOVING_PSNR})])
    heads = [head for head, _ in (*PIXELS.values(), *MOVING_PSNR.values())]
    table = markdown_table(("shown", "clips", *heads), rows)
    unseen = _mean(r.unseen for r in records)
    return f"{table}\nTrue frames in which the mesh finds no face: {_text(unseen, '.1%')}.\n"


def transfer_table(clips: Sequence[Transfer], fields: dict[str, tuple[str, str]]) -> str:
    """Table of every method against the truth, all actions together."""
    rows = []
    for method in METHODS:
        fits = [clip.fits[method] for clip in clips]
        rows.append([method, *_cells(fits, fields)])
    return markdown_table(("shown", *(head for head, _ in fields.values())), rows)


def action_table(clips: Sequence[Transfer]) -> str:
    """Table by action: PSNR on moving pixels, correlation and gain, clips that follow or blink."""
    rows = []
    for action, chosen in _by_action(clips):
        moving = [
            _text(_mean(c.fits[method].psnr_moving for c in chosen), ".2f")
            for method in (ANIMATED, STILL, DRIVER, AFFINE)
        ]
        least, low, high = FOLLOWS
        follows = [c.correlation >= least and low <= c.gain <= high for c in chosen]
        blinked = action is Action.BLINK
        rows.append(
            [
                action.value,
                str(len(chosen)),
                *moving,
                _text(_mean(c.correlation for c in chosen), ".2f"),
                _text(_mean(c.gain for c in chosen), ".2f"),
                _share(follows) if action in FOLLOWED else "–",
                _share(blinks(chosen)) if blinked else "–",
                _share(blinks(chosen, mesh_alone=True)) if blinked else "–",
            ]
        )
    header = (
        *("action", "clips", "PSNR, moving pixels (dB)", STILL, DRIVER, AFFINE),
        *("correlation", "gain", "clips that follow", "clips that blink", "… by the mesh alone"),
    )
    return markdown_table(header, rows)


def own_signal_table(clips: Sequence[Transfer]) -> str:
    """Table by action: error of each method in the signal that shows the action best."""
    heads = {**POSE, **FACE}
    rows = []
    for action, chosen in _by_action(clips):
        name = OWN_SIGNAL[action]
        head, form = heads[name]
        errors = [_mean(getattr(c.fits[m], name) for c in chosen) for m in METHODS]
        rows.append([action.value, head, *(_text(error, form) for error in errors)])
    return markdown_table(("action", "signal", *METHODS), rows)


def screening_table(clips: Sequence[Transfer]) -> str:
    """Table by action: share of the clips that each liveness detector accepts."""
    rows = []
    for action, chosen in _by_action(clips):
        cells = [
            _share([c.screening[kind][detector].live for c in chosen])
            for detector in ("action", "universal")
            for kind in SCREENED
        ]
        rows.append([action.value, str(len(chosen)), *cells])
    heads = [f"{d}: {kind}" for d in ("action-specific", "universal") for kind in SCREENED]
    return markdown_table(("action", "clips", *heads), rows)


def rejections(clips: Sequence[Transfer]) -> str:
    """List of the animated clips that the action-specific detector rejects, with its reasons."""
    lines = [
        f"- {clip.action.value}, {clip.source} moved as {clip.driver}, take {clip.take}: "
        f"{clip.screening[ANIMATED]['action'].reason}"
        for clip in clips
        if not clip.screening[ANIMATED]["action"].live
    ]
    return "Animated, not recognised:\n\n" + "\n".join(lines) + "\n" if lines else ""


def mesh_accuracy_table(clips: Sequence[Transfer]) -> str:
    """Table of the face mesh's signals in true clips against the known pose, actions and gaze."""
    heads = {**POSE, **FACE}
    rows = []
    for name in COMPARED:
        found = [clip.mesh_accuracy[name] for clip in clips]
        known = sum(bool(np.isfinite(one.correlation)) for one in found)
        correlation = _text(_mean(one.correlation for one in found), ".2f")
        error = _text(_mean(one.error_deg for one in found), ".2f")
        rows.append([heads[name][0], str(known), correlation, error])
    return markdown_table(("signal", "clips that move", "correlation", "error (°)"), rows)


def acceptance_table(clips: Sequence[Transfer]) -> str:
    """Table of the acceptance criteria, each met or not met."""
    rows = [
        (c.required, "met" if c.met else "**not met**", c.measured)
        for c in acceptance_criteria(clips)
    ]
    return markdown_table(("criterion", "verdict", "measured"), rows)


def _left_out(records: Sequence[Record]) -> str:
    bad = [record for record in records if record.problem]
    if not bad:
        return ""
    lines = [f"- {record.name}: {record.problem}" for record in bad]
    return f"Left out, {len(bad)} of {len(records)}:\n\n" + "\n".join(lines) + "\n"


def _by_action(clips: Sequence[Transfer]) -> list[tuple[Action, list[Transfer]]]:
    found = [(action, [clip for clip in clips if clip.action is action]) for action in TEN]
    return [(action, chosen) for action, chosen in found if chosen]


def _cells(fits: Sequence[SignalFit], fields: dict[str, tuple[str, str]]) -> list[str]:
    read: Callable[[SignalFit, str], float] = getattr
    return [
        _text(_mean(read(fit, name) for fit in fits), form) for name, (_, form) in fields.items()
    ]


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _text(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else "–"


def _share(flags: Sequence[bool]) -> str:
    return f"{sum(flags) / len(flags):.0%}" if flags else "–"
