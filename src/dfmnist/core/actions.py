"""The ten actions of DeepFake MNIST+ (section 3.1), and talking, which only real clips show."""

from dataclasses import dataclass
from enum import StrEnum

from dfmnist.core.errors import InputError


class Action(StrEnum):
    """Action shown in a clip; its value is the name used in files, manifests and tables."""

    BLINK = "blink"
    OPEN_MOUTH = "open_mouth"
    YAW = "yaw"
    NOD = "nod"
    RIGHT_SLOPE = "right_slope"
    LEFT_SLOPE = "left_slope"
    LOOK_UP = "look_up"
    SMILE = "smile"
    SURPRISE = "surprise"
    EMBARRASSMENT = "embarrassment"
    TALK = "talk"


@dataclass(frozen=True)
class ActionInfo:
    """Names of an action, and what the person is asked to do."""

    action: Action
    title: str
    """Name in the paper's figures."""
    spellings: tuple[str, ...]
    """Other names found in datasets: lower case, words joined by `_`."""
    motion: str
    """Instruction to the person who performs it."""


INFO: dict[Action, ActionInfo] = {
    info.action: info
    for info in (
        ActionInfo(Action.BLINK, "Blink", ("blinking", "eye_blink"), "close both eyes and open"),
        ActionInfo(
            Action.OPEN_MOUTH,
            "Open mouth",
            ("mouth", "mouth_open", "openmouth", "opening_mouth"),
            "open the mouth wide and close it",
        ),
        ActionInfo(
            Action.YAW, "Yaw", ("yawing", "shake", "shake_head"), "turn the head left and right"
        ),
        ActionInfo(Action.NOD, "Nod", ("nodding",), "lower the head and raise it again"),
        ActionInfo(
            Action.RIGHT_SLOPE,
            "Right slope",
            ("right_slope_head", "slope_right", "right_tilt"),
            "tilt the head to the person's right shoulder",
        ),
        ActionInfo(
            Action.LEFT_SLOPE,
            "Left slope",
            ("left_slope_head", "slope_left", "left_tilt"),
            "tilt the head to the person's left shoulder",
        ),
        ActionInfo(Action.LOOK_UP, "Look up", ("up", "lookup", "looking_up"), "raise the head"),
        ActionInfo(Action.SMILE, "Smile", ("smiling",), "smile and relax"),
        ActionInfo(
            Action.SURPRISE,
            "Surprise",
            ("surpise", "surprised"),  # the first is the released dataset's folder name
            "raise the brows, open eyes and mouth",
        ),
        ActionInfo(
            Action.EMBARRASSMENT,
            "Embarrassment",
            ("embarrass", "embarrassed", "embarras"),
            "look down and away with a held-back smile",
        ),
        ActionInfo(Action.TALK, "Talk", ("talking", "speech"), "talk and look about"),
    )
}

TEN: tuple[Action, ...] = tuple(a for a in Action if a is not Action.TALK)
"""The ten actions in the paper's order."""

DETECTED_BY_BOTH: frozenset[Action] = frozenset(
    {Action.BLINK, Action.YAW, Action.NOD, Action.OPEN_MOUTH}
)
"""Actions screened by both liveness detectors (section 3.2); the others by the universal one."""

_BY_SPELLING = {s: i.action for i in INFO.values() for s in (i.action.value, *i.spellings)}


def parse_action(text: str) -> Action:
    """Action named by `text`, in any spelling of `INFO`. Raises `InputError`."""
    key = "_".join(text.strip().lower().replace("-", " ").replace("_", " ").split())
    try:
        return _BY_SPELLING[key]
    except KeyError:
        names = ", ".join(a.value for a in Action)
        raise InputError(f"unknown action '{text}'; expected one of {names}") from None
