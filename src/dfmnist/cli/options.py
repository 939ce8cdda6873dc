"""Options that several commands share, and the two forms in which results are printed."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from dfmnist.core.choices import BackendName, EngineName, Precision
from dfmnist.core.config import plain
from dfmnist.core.console import show
from dfmnist.core.jobs import engine
from dfmnist.core.settings import Setting, field_docs, settings_of

DATASET_HELP = "Dataset folder, or its metadata.jsonl."
Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help=DATASET_HELP)]
Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder that `dfmnist train` printed.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Number of worker processes. Default: one per core.")
]
EngineOption = Annotated[
    EngineName,
    typer.Option("--engine", help="What runs the work: processes of this machine, or Ray."),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Address of Ray's cluster, for --engine ray. Default: the variable RAY_ADDRESS, else "
        "the cluster on this machine, which is started if there is none.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Backend = Annotated[
    BackendName,
    typer.Option(
        help="Library that runs the network; auto takes torch on a GPU and OpenVINO on a CPU."
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        help="Number format of the arithmetic; auto takes bf16 on a GPU and on a CPU with AMX."
    ),
]


def field(config: type, name: str, *flags: str, more: str = "", **options: Any) -> Any:
    """A command-line option whose help is the docstring of a config's field.

    `more` is added to it; `options` go to `typer.Option`.
    """
    doc = " ".join(part for part in (field_docs(config).get(name, ""), more) if part)
    return typer.Option(*flags, help=doc, **options)


def setting_lines(config: type, *, skip: tuple[str, ...] = ()) -> list[str]:
    """The settings of a config for a terminal: name, default, values and meaning of each field."""
    lines = []
    for setting in settings_of(config):
        if setting.name not in skip:
            lines += [heading(setting), f"    {setting.doc} Values: {setting.values}."]
    return lines


def heading(setting: Setting) -> str:
    """A setting with its default, as it would be typed: `epochs=50`."""
    return f"{setting.name}={setting.default_text}"


def set_option(config: type, example: str) -> Any:
    """The repeatable option `--set field=value` of a command; `--set help` lists the fields."""

    def listed(values: list[str]) -> list[str]:
        if "help" in values:
            show(*setting_lines(config))
            raise typer.Exit
        return values

    return typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        is_eager=True,
        callback=listed,
        help=f"Any other setting, for example `--set {example}`; repeatable. `--set help` lists "
        "them all.",
    )


def use_engine(
    ctx: typer.Context,
    workers: int | None,
    name: EngineName = "local",
    address: str | None = None,
) -> None:
    """Run the jobs of the command being run on this engine. Raises `InputError`."""
    ctx.with_resource(engine(name, workers, address))


def print_json(value: Any) -> None:
    """Print `value` as one JSON document; a number that is not defined becomes null."""
    text = json.dumps(_defined(plain(value)), indent=2, ensure_ascii=False, allow_nan=False)
    show(*text.split("\n"))


def _defined(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _defined(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_defined(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
