"""Tables of likeness: how animated clips keep their source's identity and follow their drivers."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dfmnist.animator_eval.acceptance import BLINK_FALL
from dfmnist.animator_eval.identity import SAME_PERSON
from dfmnist.animator_eval.likeness import MIN_RANGE, Likeness
from dfmnist.animator_eval.metrics import SignalFit
from dfmnist.animator_eval.records import METHODS, Record, Reenactment
from dfmnist.core.text import UNDEFINED, markdown_table, number

HEADS = {
    "yaw_deg": "yaw",
    "pitch_deg": "pitch",
    "roll_deg": "roll",
    "mouth_open": "mouth opening",
    "mouth_width": "mouth width",
    "eye_aspect": "lids",
    "brow_raise": "brows",
    "gaze_side": "gaze aside",
    "gaze_down": "gaze down",
}
"""Head of the column of each signal of `MIN_RANGE`."""
NO_IDENTITY = (
    "Identity is not measured: it needs the extra 'identity', pip install 'dfmnist[identity]'.\n"
)
Row = dict[str, str | float]


def likeness_table(found: Mapping[str, Sequence[Likeness]], first: str) -> str:
    """Table with a row for each key of `found`: identity, detail, following as correlation / gain.

    `first` is the head of the first column.
    """
    rows = [
        [
            name,
            str(len(clips)),
            *_kept(clips),
            _closed(clips),
            *(_followed(clips, signal) for signal in MIN_RANGE),
        ]
        for name, clips in found.items()
    ]
    heads = (first, "clips", "identity", "same person", "detail kept", "face lost", "lids close")
    return markdown_table((*heads, *HEADS.values()), rows)


def reenactment_tables(found: Sequence[Reenactment]) -> list[str]:
    """Tables of sources moved as drivers: all by driver, all by source, and source by driver."""
    drivers = list(dict.fromkeys(one.driver for one in found))
    sources = list(dict.fromkeys(one.source for one in found))
    by_driver = {d: [o.likeness for o in found if o.driver == d] for d in drivers}
    by_source = {s: [o.likeness for o in found if o.source == s] for s in sources}
    both = {(one.source, one.driver): one.likeness for one in found}
    parts = [
        "### Sources moved as drivers, by driver: following is correlation / gain\n",
        likeness_table({"all": [one.likeness for one in found], **by_driver}, "driver"),
        "### The same by source\n",
        likeness_table(by_source, "source"),
    ]
    cells: dict[str, Callable[[Likeness], str]] = {
        "identity": lambda clip: number(clip.identity, ".2f"),
        "detail kept": lambda clip: number(clip.detail, ".2f"),
        "mouth opening, correlation / gain": lambda clip: _followed([clip], "mouth_open"),
        "yaw, correlation / gain": lambda clip: _followed([clip], "yaw_deg"),
    }
    for title, text in cells.items():
        rows = [
            [
                source,
                *(text(both[source, d]) if (source, d) in both else UNDEFINED for d in drivers),
            ]
            for source in sources
        ]
        parts += [f"### Source by driver: {title}\n", markdown_table(("source", *drivers), rows)]
    return parts


def rows_of(record: Record) -> list[Row]:
    """Rows of the CSV file for one record: one for each method, or one for a reenactment."""
    if record.reenactment is not None:
        one = record.reenactment
        about: Row = {"source": one.source, "driver": one.driver, "method": "animated"}
        return [about | _columns(record, None, one.likeness)]
    rows = []
    for method in (name for name in METHODS if name in record.reconstruction):
        fit = record.reconstruction[method]
        about = {"source": record.name, "driver": record.name, "method": method}
        rows.append(about | _columns(record, fit, record.likeness.get(method)))
    return rows


def _columns(record: Record, fit: SignalFit | None, likeness: Likeness | None) -> Row:
    row: Row = {"frames": record.frames}
    pixels = ("l1", "psnr", "psnr_moving", "ssim", "akd_px")
    row |= {name: getattr(fit, name) if fit else float("nan") for name in pixels}
    if likeness is not None:
        plain = ("identity", "detail", "lost", "eye_fall", "driver_eye_fall")
        row |= {name: getattr(likeness, name) for name in plain}
        for name in MIN_RANGE:  # a record that was read has another order
            one = likeness.signals[name]
            row |= {
                f"{name}_correlation": one.correlation,
                f"{name}_gain": one.gain,
                f"{name}_driver_range": one.driver_range,
            }
    return row


def _kept(clips: Sequence[Likeness]) -> list[str]:
    known = [clip.identity for clip in clips if np.isfinite(clip.identity)]
    same = f"{sum(d < SAME_PERSON for d in known)} of {len(known)}" if known else UNDEFINED
    detail = number(_mean([clip.detail for clip in clips]), ".2f")
    return [
        number(_mean(known), ".2f"),
        same,
        detail,
        number(_mean([c.lost for c in clips]), ".1%"),
    ]


def _closed(clips: Sequence[Likeness]) -> str:
    """Share of clips whose lids close where their driver's do."""
    closed = [clip.eye_fall >= BLINK_FALL for clip in clips if clip.driver_eye_fall >= BLINK_FALL]
    return f"{sum(closed)} of {len(closed)}" if closed else UNDEFINED


def _followed(clips: Sequence[Likeness], signal: str) -> str:
    found = [clip.signals[signal] for clip in clips]
    correlation = _mean([one.correlation for one in found])
    if not np.isfinite(correlation):
        return UNDEFINED
    return f"{correlation:.2f} / {_mean([one.gain for one in found]):.2f}"


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
