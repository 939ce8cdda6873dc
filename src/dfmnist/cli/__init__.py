"""The `dfmnist` command: the tree of its commands, users' first; each file holds one group."""

import io
import logging
import signal
import sys
import threading
import time
from functools import cache
from typing import Annotated, Any, cast

import typer
import typer.main

from dfmnist import __version__
from dfmnist.cli import (
    animate,
    animator,
    build,
    dataset,
    demo,
    detect,
    detector,
    experiment,
    fetch,
    judge,
    legacy,
    liveness,
    report,
    score,
    serve,
)
from dfmnist.core.console import LogFormatter, set_quiet, show, show_error
from dfmnist.core.errors import InputError

STOPPED = 130
"""Exit code after Ctrl-C."""
UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])
"""What typer raises for a command line that it cannot read; typer itself does not export it."""
START, MAKE, DETECT, STUDY, MAKERS = (
    "Start here",
    "Make a dataset",
    "Train and use a detector",
    "Tables, figures and report",
    "For makers of the shipped models",
)
log = logging.getLogger("dfmnist")


def _group(text: str, **commands: Any) -> typer.Typer:
    group = typer.Typer(help=text, no_args_is_help=True, rich_markup_mode="markdown")
    for name, function in commands.items():
        group.command(name)(function)
    return group


app = typer.Typer(
    name="dfmnist",
    help="Make, screen, publish and detect facial-animation deepfakes (DeepFake MNIST+).",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, functions in {
    START: (demo.demo, fetch.fetch),
    MAKE: (build.actors, build.build, animate.animate),
    DETECT: (detect.train, detect.compare, judge.detect),
    STUDY: (experiment.experiment, report.report, serve.serve),
}.items():
    for function in functions:
        app.command(rich_help_panel=panel)(function)
scoring = _group(
    "Score a dataset with a run or your own detector, or take scores that were made elsewhere.",
    **{"run": score.run, "import": score.import_},
)
scoring.info.cls = score.ScoreGroup
app.add_typer(scoring, name="score", rich_help_panel=DETECT)
app.add_typer(
    _group(
        "Import a dataset that somebody else made, check one, and publish one.",
        **{
            "import": dataset.import_,
            "audit": dataset.audit,
            "verify": dataset.verify,
            "export": dataset.export,
        },
    ),
    name="dataset",
    rich_help_panel=MAKE,
)
app.add_typer(
    _group(
        "Train, measure and convert motion models.",
        train=animator.train,
        evaluate=animator.evaluate,
        convert=animator.convert,
    ),
    name="animator",
    rich_help_panel=MAKERS,
)
app.add_typer(
    _group(
        "Make the detector that ships: film its clips, average runs, measure what one knows, pack.",
        film=detector.film,
        average=detector.average,
        know=detector.know,
        pack=detector.pack,
    ),
    name="detector",
    rich_help_panel=MAKERS,
)
app.add_typer(
    _group(
        "Check clips with liveness detectors, yours or the built-in ones; measure detectors.",
        check=liveness.check,
        evaluate=liveness.evaluate,
        fit=liveness.fit,
        benchmark=liveness.benchmark,
    ),
    name="liveness",
    rich_help_panel=DETECT,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        show(f"dfmnist {__version__}")
        raise typer.Exit


@app.callback()
def settings(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print what is done, and where an error arose.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and errors only, no progress.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Make, screen, publish and detect facial-animation deepfakes (DeepFake MNIST+)."""
    if quiet:
        set_quiet(True)
    if verbose:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(LogFormatter("%(relativeCreated)7d ms  %(name)s: %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.DEBUG)
        python = sys.version.split()[0]
        log.debug("dfmnist %s, Python %s on %s", __version__, python, sys.platform)


def main() -> None:
    """Run the command line. Bad input is one line on standard error and exit code 2."""
    start = time.perf_counter()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files that are no UTF-8 are escaped
            stream.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    arguments = legacy.translated(sys.argv[1:])
    try:
        code = _commands()(arguments, prog_name="dfmnist", standalone_mode=False)
    except InputError as error:
        _explain(str(error))
        code = 2
    except typer.Abort:
        code = STOPPED
    except UsageError as error:
        code = _usage(error)
    if code == STOPPED:  # Ctrl-C, about which typer prints nothing
        show_error("stopped; run the same command to go on")
    log.debug("ended after %.1f s", time.perf_counter() - start)
    sys.exit(code if isinstance(code, int) else 0)


@cache
def _commands() -> Any:
    """The tree of commands, which takes typer about 30 ms to make."""
    return typer.main.get_command(app)


def _stop(*_: object) -> None:
    """Stop as Ctrl-C does; batch systems and service managers send SIGTERM."""
    raise KeyboardInterrupt


def _explain(message: str) -> None:
    show_error(message, trace=log.isEnabledFor(logging.DEBUG))


def _usage(error: Any) -> int:
    """One line for a command line that cannot be read, with the command whose help has more."""
    message = " ".join(error.format_message().split()).replace(": Value error, ", ": ")
    if type(error).__name__ != "NoArgsIsHelpError":  # whose help has been printed
        where = error.ctx.command_path if error.ctx is not None else "dfmnist"
        _explain(f"{message.rstrip('.')}; see `{where} --help`")
    elif message:
        show(*error.format_message().split("\n"))
    return int(error.exit_code)
