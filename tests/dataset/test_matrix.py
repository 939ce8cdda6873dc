"""Every dataset command on what every other one made."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.dataset.conftest import write_dataset
from tests.detectors.conftest import clip_frames
from tests.running import called, refused

from dfmnist.dataset import cropping
from dfmnist.dataset.export.config import ExportConfig
from dfmnist.dataset.export.exporting import export_dataset
from dfmnist.dataset.importing import ImportOptions, import_dataset
from dfmnist.dataset.info import DatasetInfo, write_info
from dfmnist.dataset.layouts.folder import layout
from dfmnist.dataset.manifest import read_manifest
from dfmnist.dataset.merge import join_datasets
from dfmnist.dataset.splits import split_info
from dfmnist.dataset.verify import verify
from dfmnist.media.video import write_video

MAKERS = ("build", "import", "crop", "merge", "export")
TERMS = ("--licence", "MIT", "--consent", "given")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One dataset of each command: its name → folder; `merge` joins the first two."""
    root = tmp_path_factory.mktemp("made")
    build = write_dataset(root / "build", people=7)
    splits = split_info(read_manifest(build).clips, "identity", 0)
    write_info(build, DatasetInfo(kind="built", splits=splits))
    files = root / "files"
    for index, who in enumerate("abcd"):
        for fake, label in enumerate(("real", "fake")):
            write_video(files / label / f"{who}_1.mp4", clip_frames(index, bool(fake)), 25, crf=23)
    found = {"build": build, "import": root / "import", "crop": root / "crop"}
    import_dataset(layout(files), files, found["import"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cropping, "mtcnn", lambda: None)
        box = np.array([8.0, 8.0, 56.0, 56.0])
        patch.setattr(cropping, "face_box_union", lambda frames, network: (box, ""))
        import_dataset(layout(files), files, found["crop"], ImportOptions(crop=True, size_px=32))
    two = {"one": build, "two": found["import"]}
    found["merge"] = join_datasets(two, root / "merge")
    terms = ExportConfig(licence="MIT", consent="given")
    found["export"] = export_dataset(found["merge"], root / "export", terms).folder
    return found


Command = Callable[[Path, Path, pytest.CaptureFixture[str]], None]


def verified(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, err = called(capsys, "dataset", "verify", data)
    assert code == 0, said + err


def audited(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The audit ends with its verdict, whichever that is."""
    code, said, err = called(capsys, "dataset", "audit", data, "--save")
    assert "protocol" in said, err
    assert code == (2 if "FAILED" in said else 0), err
    assert verify(data) == []


def imported(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dataset needs no import, which says so."""
    line = refused(capsys, "dataset", "import", "folder", data, "--out", out)
    assert f"{data}: is a dataset already" in line


def exported(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = called(capsys, "dataset", "export", data, "--out", out, *TERMS)
    assert code == 0, err
    assert verify(out) == []
    assert split_of(out) == split_of(data)
    with_audit = (data / "audit.json").is_file()
    assert with_audit == (out / "audit.json").is_file()
    assert with_audit == ("## Audit" in (out / "README.md").read_text())


def merged(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    join_datasets({"x": data}, out)
    assert verify(out) == []
    assert set(split_of(out).values()) == set(split_of(data).values())
    assert len(split_of(out)) == len(split_of(data))


def split_of(data: Path) -> dict[tuple[str, str], tuple[str, str, tuple[str, ...]]]:
    """Split, label and people of each file by its clip and quality."""
    clips = read_manifest(data).clips
    return {(c.clip_id, c.quality): (c.split, c.label, c.identities) for c in clips}


@pytest.mark.parametrize("command", [verified, audited, imported, exported, merged])
@pytest.mark.parametrize("maker", MAKERS)
def test_on(
    maker: str,
    command: Command,
    made: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(made[maker], tmp_path / "out", capsys)


@pytest.mark.soak
def test_a_detector_learns_from_what_is_published(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, err = called(
        capsys, "train", made["export"], "--network", "meso4", "--epochs", "1", "--batch-size", "8",
        "--set", "size_px=64", "--set", "frames_per_clip=2", "--quality", "original",
        "--out", tmp_path / "runs",
    )  # fmt: skip
    assert code == 0, err
    run = said.split(":")[0]
    code, said, err = called(capsys, "score", run, made["export"], "--quality", "original")
    assert code == 0, err
