"""The `dfmnist` command: each file here holds one group of commands."""

import sys

import typer

from dfmnist.cli import animate, build, dataset, demo, detect, experiment, fetch, lab, report
from dfmnist.core.errors import InputError

STOPPED = 130
"""Exit code after Ctrl-C."""

app = typer.Typer(
    name="dfmnist",
    help="Make, screen, publish and detect facial-animation deepfakes (DeepFake MNIST+).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (demo, fetch, build, animate, dataset, detect, experiment, report, lab):
    group.register(app)


def main() -> None:
    """Run the command line. Bad input is one line on standard error and exit code 2."""
    try:
        app()
    except InputError as error:
        print(f"dfmnist: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as error:
        if error.code == STOPPED:  # Ctrl-C, of which typer says nothing
            print("dfmnist: stopped; run the same command to go on", file=sys.stderr)
        raise
