"""Command lines of version 0.0, understood for one version more: old names and old options.

Nothing else knows of them: the next version deletes this file.
"""

import shlex
from collections.abc import Callable, Sequence
from typing import get_args, get_origin

from dfmnist.core.console import show_error
from dfmnist.core.settings import Setting, settings_of
from dfmnist.detectors.config import TrainConfig

COMMANDS = {
    "audit": ("dataset", "audit"),
    "verify": ("dataset", "verify"),
    "convert-weights": ("animator", "convert"),
    "train-animator": ("animator", "train"),
    "evaluate-animator": ("animator", "evaluate"),
    "fit-screening": ("liveness", "fit"),
    "evaluate-screening": ("liveness", "benchmark"),
}
GROUPS = {group for group, _ in COMMANDS.values()}
OPTIONS = {
    ("train",): {"--accelerator": "--device"},
    ("animator", "train"): {"--accelerator": "--device", "--weights": "--initial"},
}
"""Old and new name of an option, by command."""
KEPT = ("network", "quality", "weights", "epochs", "batch_size", "precision", "seed")
"""The settings of `train` that are options of their own; the others are given by `--set`."""


def translated(arguments: Sequence[str]) -> list[str]:
    """`arguments` in today's names, with a note on standard error where they were old."""
    new = translate(arguments)
    if new != list(arguments):
        now = shlex.join(["dfmnist", *new])
        show_error(f"old spelling, gone in the next version; now: {now}")
    return new


def translate(arguments: Sequence[str]) -> list[str]:
    """`arguments` in today's names; those that are of today are returned as they are."""
    first = next((i for i, a in enumerate(arguments) if not a.startswith("-")), len(arguments))
    before, rest = list(arguments[:first]), list(arguments[first:])
    if not rest:
        return before
    command = COMMANDS.get(rest[0], (rest[0],))
    rest = rest[1:]
    if command[0] in GROUPS and len(command) == 1 and rest:
        command, rest = (command[0], rest[0]), rest[1:]
    for change in CHANGES.get(command, ()):
        rest = change(rest)
    names = OPTIONS.get(command, {})
    return [*before, *command, *(_renamed(argument, names) for argument in rest)]


def _renamed(argument: str, names: dict[str, str]) -> str:
    name, equals, value = argument.partition("=")
    return f"{names.get(name, name)}{equals}{value}"


def _dataset_first(arguments: list[str]) -> list[str]:
    """`--data D` as the first argument."""
    for i, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == "--data" and equals:
            return [value, *arguments[:i], *arguments[i + 1 :]]
        if name == "--data" and i + 1 < len(arguments):
            return [arguments[i + 1], *arguments[:i], *arguments[i + 2 :]]
    return arguments


def _precision(arguments: list[str]) -> list[str]:
    """`--precision 32` as `--precision f32`."""
    new = ["--precision=f32" if a == "--precision=32" else a for a in arguments]
    for i, argument in enumerate(new[:-1]):
        if argument == "--precision" and new[i + 1] == "32":
            new[i + 1] = "f32"
    return new


def _as_settings(arguments: list[str]) -> list[str]:
    """Each option of `train` that is an option no more as `--set field=value`."""
    known = {s.name: s for s in settings_of(TrainConfig) if s.name not in KEPT}
    values: dict[str, list[str]] = {}
    kept, left = [], list(arguments)
    while left:
        argument = left.pop(0)
        name, equals, value = argument.partition("=")
        field = name.removeprefix("--").replace("-", "_")
        negated = field.removeprefix("no_")
        if not name.startswith("--") or (field not in known and negated not in known):
            kept.append(argument)
        elif negated in known and known[negated].type is bool:
            values[negated] = ["true" if field == negated else "false"]
        elif field in known:
            count = _count(known[field])
            taken = [value] if equals else left[:count]
            left = left if equals else left[count:]
            repeated = get_origin(known[field].type) is tuple and count == 1
            values[field] = [*(values.get(field, []) if repeated else []), *taken]
        else:
            kept.append(argument)
    for field, texts in values.items():
        kept += ["--set", f"{field}={','.join(texts)}"]
    return kept


def _count(setting: Setting) -> int:
    """How many words the old option took at a time."""
    args = get_args(setting.type)
    of_fixed_length = get_origin(setting.type) is tuple and Ellipsis not in args
    return len(args) if of_fixed_length else 1


CHANGES: dict[tuple[str, ...], tuple[Callable[[list[str]], list[str]], ...]] = {
    ("report",): (_dataset_first,),
    ("experiment",): (_dataset_first,),
    ("train",): (_precision, _as_settings),
    ("animator", "train"): (_precision,),
}
"""What else changed, by command."""
