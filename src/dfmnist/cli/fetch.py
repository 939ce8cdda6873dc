"""`dfmnist fetch`: models that are not shipped in the package."""

from typing import Annotated

import typer

from dfmnist.core.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(fetch)


def fetch(
    what: Annotated[str, typer.Argument(help="`faces`: the face mesh, iris and detection models.")],
) -> None:
    """Get models into the user's cache, checked by SHA-256."""
    if what != "faces":
        raise InputError(f"fetch '{what}'; expected faces")
    from dfmnist.faces.weights import fetch_faces

    for name, path in fetch_faces().items():
        typer.echo(f"{name}: {path}")
