"""`dfmnist train`, `score`, `compare` and `detect`, one after the other."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.running import called, refused


def test_train_score_and_detect_from_the_command_line(
    capsys: pytest.CaptureFixture[str], dataset: Path, tmp_path: Path
) -> None:
    def call(*arguments: object) -> str:
        code, out, err = called(capsys, *arguments)
        assert code == 0, err
        return out

    def record(*arguments: object) -> Any:
        return json.loads(call(*arguments, "--json"))

    options = "--network meso4 --set size_px=64 --set frames_per_clip=3 --epochs 1 --batch-size 8"
    out = ("--out", tmp_path / "runs", "--precision", "f32")
    said = call("train", dataset / "metadata.jsonl", *out, *options.split())
    assert "epoch 1 of 1, validation accuracy" in said
    (run,) = (tmp_path / "runs").iterdir()
    qualities = ("--quality", "raw", "--quality", "c40")
    said = call("score", run, dataset, *qualities)
    assert "8 clips of 2 people, 24 frames, 0 clips not scored" in said
    assert "called fake from P(fake) 0." in said
    assert "per frame" in said
    assert "TPR at FPR 1%" in said
    assert "fake nod" in said
    first = run / "scores-test.parquet"
    second = tmp_path / "second.parquet"
    both = ("--backend", "torch", "--precision", "f32", *qualities)
    scored = record("score", run, dataset / "metadata.jsonl", *both, "--out", second)
    assert scored["scores"] == str(second)
    assert (scored["num_clips"], scored["num_frames"], scored["num_unscored"]) == (8, 24, 0)
    assert set(scored["frame"]) == set(scored["clip"]) > {"accuracy", "auc"}
    assert {"value", "low", "high"} <= set(scored["clip"]["auc"])
    assert {row["action"] for row in scored["by_action"]} >= {"nod", None}
    said = call("compare", first, second)
    assert "8 clips of 2 people, 0 clips not scored" in said
    assert "DeLong: AUC differs by 0.000" in said
    compared = record("compare", first, second)
    assert compared["num_clips"] == 8
    assert compared["auc"]["value"] == 0
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    clip = dataset / "clips" / "raw" / "g-real.mp4"
    options = ("--run", run, "--cropped", "--backend", "torch")
    said = call("detect", clip, *options)
    assert f"{clip}: P(fake) 0." in said
    assert ", no verdict (0 s, 3 of 9 frames looked at)" in said  # two people: a guess
    assert "  face 1: no verdict, P(fake) 0." in said
    code, said, err = called(capsys, "detect", clip, broken, clip, *options)
    assert code == 2
    assert said.count(f"{clip}: P(fake) 0.") == 2
    assert "1 of 3 files not judged, the first: " in err.splitlines()[-1]
    assert err.count("broken.mp4: cannot be read") == 2  # at its turn, and at the end
    assert "broken.mp4: cannot be read" in refused(capsys, "detect", broken, *options)
    assert f"{broken}: cannot be read as video" in err.splitlines()[-1]
    code, said, _ = called(capsys, "detect", broken, clip, *options, "--json")
    assert code == 2
    answer = json.loads(said)
    jsonschema.validate(answer, json.loads(call("detect", "--json-schema")))
    assert [one["error"] is None for one in answer["files"]] == [False, True]
    assert "was not above chance" in answer["detector"]["no_verdict"]
    said = call("detect", clip.parent, *options)
    assert said.count(", P(fake)") == len(list(clip.parent.iterdir()))  # one face each
    (found,) = record("detect", clip, *options)["files"]
    assert found["path"] == str(clip)
    (face,) = found["faces"]
    assert face["verdict"] == "none"
    assert 0 < face["p_fake"] < 1
    assert len(face["timeline"]) == 3
    assert called(capsys, "detect", clip, *options, "--exit-code")[0] == 3
