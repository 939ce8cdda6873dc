"""`dfmnist train`, `score` and `detect`, one after the other."""

from pathlib import Path

import typer
from typer.testing import CliRunner

from dfmnist.cli import detect


def test_train_score_and_detect_from_the_command_line(dataset: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    detect.register(app)

    def call(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    options = "--network meso4 --size-px 64 --frames-per-clip 3 --epochs 1 --batch-size 8"
    out = ("--out", tmp_path / "runs", "--precision", "f32")
    said = call("train", dataset, *out, *options.split())
    assert "epoch 1 of 1, validation accuracy" in said
    (run,) = (tmp_path / "runs").iterdir()
    said = call("score", run, dataset, "--quality", "raw", "--quality", "c40")
    assert "8 clips of 2 people, 24 frames, 0 clips not scored" in said
    assert "called fake from P(fake) 0." in said
    assert "per frame" in said
    assert "TPR at FPR 1%" in said
    assert "fake nod" in said
    first = run / "scores-test.parquet"
    second = tmp_path / "second.parquet"
    both = ("--backend", "torch", "--precision", "f32", "--quality", "raw", "--quality", "c40")
    call("score", run, dataset / "metadata.jsonl", *both, "--out", second)
    said = call("compare", first, second)
    assert "8 clips of 2 people, 0 clips not scored" in said
    assert "DeLong: AUC differs by 0.000" in said
    clip = dataset / "clips" / "raw" / "g-real.mp4"
    said = call("detect", clip, "--run", run, "--cropped", "--backend", "torch")
    assert f"{clip}: P(fake) 0." in said
    assert "(fake from 0." in said
