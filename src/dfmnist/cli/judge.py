"""`dfmnist detect`: whether photos and videos are fake, face by face."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dfmnist.cli.options import Backend, Json, PrecisionOption, print_json
from dfmnist.core.console import say, show
from dfmnist.core.errors import InputError

if TYPE_CHECKING:
    from dfmnist.detectors.verdict import FileVerdict

FAKE, NO_VERDICT = 1, 3
"""Exit codes of `--exit-code`: a face is fake; none is, and a face got no verdict."""


def _runs(incomplete: str) -> list[str]:
    """Completions of published detectors; folders and files are completed by the shell."""
    from dfmnist.core.published_weights import IMAGENET, PUBLISHED

    known = [k.name for k in PUBLISHED.values() if k.network and k.trained_on != IMAGENET]
    return [name for name in known if name.startswith(incomplete)]


def _print_schema(wanted: bool) -> None:
    if wanted:
        from dfmnist.detectors.verdict import SCHEMA_FILE

        show(*SCHEMA_FILE.read_text(encoding="utf-8").splitlines())
        raise typer.Exit


def detect(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Photos, videos, folders of them, or patterns such as 'clips/*.mp4'; - is "
            "standard input.",
        ),
    ],
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|FILE|NAME",
            autocompletion=_runs,
            help="Run folder that `dfmnist train` printed, a file of weights, or a name that "
            "`dfmnist fetch` lists. Default: the detector that ships, which was trained on "
            "synthetic actors.",
        ),
    ] = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="Take the files as face crops; find no face.")
    ] = False,
    face: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The only face to judge, counted from 1 in the order of appearance, then from "
            "left to right. Default: every face.",
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="Number of frames of a video to look at. Default: two a second, at most 600.",
        ),
    ] = None,
    cam: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for maps of what spoke for fake: an MP4 for each face of a video, a PNG "
            "for each of a photo.",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write the verdicts as CSV too, a row a face."),
    ] = None,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            help="Exit with 1 if a face is fake, else with 3 if a face got no verdict, else with "
            "0. A file that cannot be judged makes it 2 in any case.",
        ),
    ] = False,
    backend: Backend = "auto",
    precision: PrecisionOption = "auto",
    as_json: Json = False,
    json_schema: Annotated[
        bool,
        typer.Option(
            "--json-schema",
            is_eager=True,
            callback=_print_schema,
            help="Print the JSON Schema of what --json prints, and exit.",
        ),
    ] = False,
) -> None:
    """Say whether photos and videos are fake: a verdict and P(fake) for every face in them.

    A face that is unlike all that the detector was validated on is "outside what this detector
    knows" and gets no other verdict. A file that cannot be judged is named; the others are judged,
    and the exit code is 2.
    """
    from dfmnist.core.files import check_writable, write_text
    from dfmnist.detectors.chosen import choose_detector
    from dfmnist.detectors.predict import Looking, detect_files, find_files
    from dfmnist.detectors.verdict import Answer, as_csv, facts_lines, lines

    del json_schema  # its callback has printed it
    if cropped and face is not None:
        raise InputError(f"--face {face} with --cropped; expected one of them")
    if sum(str(path) == "-" for path in paths) > 1:
        raise InputError("- given twice; expected standard input once")
    if cam is not None:
        check_writable(cam, folder=True)
    if table is not None:
        check_writable(table)
    detector = choose_detector(run)
    files = find_files(paths)
    found: list[FileVerdict] = []
    looking = Looking(cropped, face, frames, cam)
    for one in detect_files(
        files, detector, looking, backend=backend, precision=precision, quiet=as_json
    ):
        found.append(one)
        if as_json:
            continue
        if one.error is None:
            show(*lines(one))
        elif len(files) > 1:  # a single error ends the command, which prints it
            say(one.error)
    if table is not None:
        write_text(table, as_csv(found))
    if as_json:
        print_json(Answer(detector=detector.facts, files=tuple(found)).model_dump())
    elif any(one.error is None for one in found):
        for line in facts_lines(detector.facts):
            say(line)
    _end(found, exit_code)


def _end(found: "list[FileVerdict]", exit_code: bool) -> None:
    """End with the code of the worst that was found."""
    if failed := [one.error for one in found if one.error is not None]:
        if len(found) == 1:
            raise InputError(failed[0])
        raise InputError(f"{len(failed)} of {len(found)} files not judged, the first: {failed[0]}")
    words = {face.verdict for one in found for face in one.faces}
    if exit_code and words & {"fake", "outside", "none"}:
        raise typer.Exit(FAKE if "fake" in words else NO_VERDICT)
