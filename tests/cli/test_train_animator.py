"""`dfmnist animator train`: flags reach the run, and those of another recipe are refused."""

from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_errors import clip
from tests.fomm.test_vox import config, film
from tests.running import called, refused_at_last
from tests.running import refused as run

from dfmnist.core.files import read_json
from dfmnist.fomm.checkpoint import SHIPPED
from dfmnist.fomm.training.train_people import PeopleTrainConfig


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--recipe", "vox512"], "'vox512' is not one of 'actors', 'small', 'vox256'"),
        (["--vgg", "vgg.pth"], "--vgg: not of --recipe actors"),
        (["--epochs", "3", "--devices", "2"], "--epochs, --devices: not of --recipe actors"),
        (["--skip-broken"], "--skip-broken: not of --recipe actors"),
        (["--actors-share", "0.2"], "--actors-share: not of --recipe actors"),
        (["--initial", "no.safetensors", "--clips", "."], "no.safetensors: no such file"),
        (["--recipe", "small"], "--recipe small without --clips"),
        (["--recipe", "small", "--clips", "nowhere"], "nowhere: no such folder"),
        (["--recipe", "small", "--clips", ".", "--devices", "2"], "--devices: not of --reci"),
        (["--recipe", "small", "--clips", ".", "--actors", "5"], "--actors without --actors-sha"),
        (["--recipe", "small", "--clips", ".", "--actors-share", "-1"], "--actors-share -1; exp"),
        (["--recipe", "small", "--clips", ".", "--epochs", "0"], "--epochs 0"),
        (["--recipe", "small", "--clips", ".", "--initial", "no.pth"], "no.pth: no such file"),
        (["--recipe", "vox256", "--clips", ".", "--actors-share", "0.2"], "--actors-share: not"),
        (["--recipe", "vox256", "--actors", "5"], "--actors: not of --recipe vox256"),
        (["--recipe", "vox256"], "--recipe vox256 without --clips"),
        (["--recipe", "vox256", "--clips", "nowhere"], "nowhere: no such folder"),
        (["--recipe", "vox256", "--clips", ".", "--pictures", "vgg"], "--pictures vgg without"),
        (["--recipe", "vox256", "--clips", ".", "--vgg", "no.pth"], "no.pth: no such file"),
        (["--recipe", "vox256", "--clips", ".", "--epochs", "0"], "--epochs 0"),
        (["--recipe", "vox256", "--clips", ".", "--batch-size", "0"], "--batch-size 0"),
        (["--recipe", "vox256", "--clips", ".", "--precision", "8"], "'8' is not one of 'f32'"),
        (["--recipe", "vox256", "--clips", ".", "--devices", "0"], "--devices 0"),
        (["--recipe", "vox256", "--clips", ".", "--person", "me"], "'me' is not one of 'file'"),
        (["--recipe", "vox256", "--clips", ".", "--seed", "-1"], "--seed -1"),
        (
            ["--recipe", "voxadv256", "--clips", ".", "--batch-size", "5", "--device", "cpu",
             "--devices", "2"],
            "--batch-size 5 for 2 devices",
        ),
    ],
)  # fmt: skip
def test_wrong_flags_are_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    flags: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in run(capsys, "animator", "train", "--out", "out", *flags)


def test_broken_clips_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    clip(tmp_path / "clips" / "ann#1.mp4")
    (tmp_path / "clips" / "bob#1.mp4").write_text("no video")
    arguments = ["--out", tmp_path / "out", "--recipe", "vox256"]
    arguments += ["--clips", tmp_path / "clips", "--workers", 1]
    last = refused_at_last(capsys, "animator", "train", *arguments)
    assert "1 of 2 clips cannot be used: bob#1.mp4 cannot be read as video" in last


def test_flags_reach_the_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    film(tmp_path / "clips", people=2)
    (tmp_path / "clips" / "bad.mp4").write_text("no video")
    monkeypatch.setattr("dfmnist.fomm.training.vox.vox256", config)  # the same recipe, tiny
    code, out, err = called(
        capsys, "animator", "train", "--recipe", "vox256", "--out", tmp_path / "out",
        "--clips", tmp_path / "clips", "--epochs", 1, "--batch-size", 2,
        "--seed", 4, "--workers", 1, "--threads", 1, "--device", "cpu",
        "--precision", "bf16", "--skip-broken",
    )  # fmt: skip
    assert not code
    assert out.splitlines()[-1] == str(tmp_path / "out" / "last.safetensors")
    assert "1 of 3 clips cannot be used" in err
    about = read_json(tmp_path / "out" / "config.json")
    recipe, machine = about["recipe"], about["machine"]
    assert (recipe["epochs"], recipe["batch_size"], recipe["seed"]) == (1, 2, 4)
    assert recipe["pictures"] == "pyramid"  # no --vgg: stated, not silent
    assert "NOT the published perceptual loss" in err
    assert (machine["precision"], machine["loaders"], machine["threads"]) == ("bf16", 1, 1)
    assert (about["clips"]["people"], about["clips"]["clips"]) == (2, 2)
    assert (tmp_path / "out" / "last.ckpt").is_file()


def test_flags_reach_the_training_on_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    got: dict[str, Any] = {}

    def train(config: PeopleTrainConfig, clips: Path, out: Path, **more: Any) -> Path:
        got.update(more, config=config, clips=clips)
        return out / "last.safetensors"

    monkeypatch.setattr("dfmnist.fomm.training.train_people.train_people", train)
    filmed: list[tuple[Path, int]] = []
    monkeypatch.setattr(
        "dfmnist.pipeline.film_training.film_training", lambda *args: filmed.append(args)
    )
    flags = ["--recipe", "small", "--out", tmp_path / "out", "--clips", tmp_path / "clips"]
    nothing = refused_at_last(capsys, "animator", "train", *flags, "--actors-share", 0.25)
    assert "no such folder" in nothing
    assert filmed == []  # filming takes hours, so that it comes last
    film(tmp_path / "clips" / "ann", people=1)
    code, out, _ = called(
        capsys, "animator", "train", *flags, "--epochs", 2, "--batch-size", 8, "--seed", 4,
        "--actors", 6, "--actors-share", 0.25, "--person", "folder", "--threads", 1,
        "--device", "cpu", "--precision", "bf16",
    )  # fmt: skip
    assert (code, out.strip()) == (0, str(tmp_path / "out" / "last.safetensors"))
    config = got["config"]
    assert (config.steps, config.seed, config.actors_share) == (100, 4, 0.25)
    assert (config.phases[0].draw.same, config.phases[0].draw.cross) == (6, 2)
    assert (got["initial"], got["person"]) == (SHIPPED, "folder")
    machine = got["machine"]
    assert (machine.threads, machine.device, machine.precision) == (1, "cpu", "bf16")
    assert filmed == [(tmp_path / "out" / "clips", 6)]
    assert got["actors"] == tmp_path / "out" / "clips"
    assert not called(capsys, "animator", "train", *flags, "--initial", "random")[0]
    assert (got["initial"], got["actors"], got["config"].actors_share) == (None, None, 0.0)
    assert len(filmed) == 1
