"""Subsets, early stop, accumulation, balance, transfer, several processes, and what goes wrong."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from tests.detectors.conftest import make_dataset
from tests.detectors.test_train import TINY
from tests.running import called, refused_at_last

from dfmnist.core.devices import Devices
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.dataset.manifest import read_manifest, write_manifest
from dfmnist.detectors.module import DetectorModule
from dfmnist.detectors.run import load_run, read_calibration
from dfmnist.detectors.score import score
from dfmnist.detectors.train import train

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = [
    "--network", "mesoinception4", "--set", "size_px=64", "--set", "frames_per_clip=4",
    "--batch-size", "8", "--set", "learning_rate=3e-3", "--set", "precise_bn_frames=16",
    "--precision", "f32", "--device", "cpu",
]  # fmt: skip


def test_a_part_of_the_corpus_is_trained_on_and_counted(dataset: Path, tmp_path: Path) -> None:
    config = replace(TINY, epochs=1, batch_size=4, corpus=0.5, fakes=0.5)
    record = read_json(train(config, dataset, tmp_path, quiet=True) / "run.json")
    assert record["counts"]["train"] == {"fake": 1, "real": 2, "frames": 12}
    assert record["counts"]["validation"] == {"fake": 2, "real": 2, "frames": 16}


def test_early_stop_ends_a_run_that_gets_no_better(dataset: Path, tmp_path: Path) -> None:
    config = replace(TINY, epochs=40, early_stop=2)
    folder = train(config, dataset, tmp_path, quiet=True)
    record = read_json(folder / "run.json")
    history = pl.read_csv(folder / "metrics.csv")
    assert record["stopped_early"]
    assert len(history) == record["epochs"] == record["best_epoch"] + 2 < 40
    assert load_run(folder).config == config


def test_accumulated_batches_make_one_step(dataset: Path, tmp_path: Path) -> None:
    record = read_json(
        train(replace(TINY, epochs=2, accumulate=3), dataset, tmp_path, quiet=True) / "run.json"
    )
    assert record["steps"] == 2 * 2  # four batches: three, and the one that is left


def test_balanced_classes_count_the_same_in_the_loss(dataset: Path, tmp_path: Path) -> None:
    from dfmnist.detectors.data import ClipFrames, select_samples
    from dfmnist.detectors.networks.builders import build

    samples = select_samples(read_manifest(dataset), "train", ("raw",), 4)
    few = [s for s in samples if s.fake][:1] + [s for s in samples if not s.fake][:3]
    part = ClipFrames(few, size_px=64)
    logits, targets = torch.tensor([2.0, 0.0, -1.0, 1.0]), torch.tensor([1.0, 0.0, 0.0, 0.0])
    values = {}
    for balance in ("none", "loss"):
        config = replace(TINY, balance=balance, loss="bce")
        module = DetectorModule(
            config,
            build("mesoinception4", size_px=64),
            part,
            part,
            folder=tmp_path,
            precision="f32",
            quiet=True,
        )
        values[balance] = float(module._loss(logits, targets))
    of_fake = torch.nn.functional.softplus(-logits[:1]).mean()
    of_real = torch.nn.functional.softplus(logits[1:]).mean()
    assert values["loss"] == pytest.approx(float((of_fake + of_real) / 2), rel=1e-6)
    assert values["none"] == pytest.approx(float((of_fake + 3 * of_real) / 4), rel=1e-6)


def test_temperature_and_threshold_stay_with_the_weights(dataset: Path, tmp_path: Path) -> None:
    run = load_run(train(TINY, dataset, tmp_path, quiet=True))
    kept = read_calibration(run.folder / "weights.safetensors")
    assert run.calibration == kept
    assert kept.temperature != 1
    assert 0 < kept.threshold < 1


def test_the_printed_betas_train_too(dataset: Path, tmp_path: Path) -> None:
    printed = replace(TINY, epochs=1, betas=(0.999, 0.9))
    folder = train(printed, dataset, tmp_path, quiet=True)
    assert load_run(folder).config.betas == (0.999, 0.9)
    with pytest.raises(InputError, match=r"^betas are \(1\.5, 0\.9\)"):
        replace(TINY, betas=(1.5, 0.9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpus": 0.0}, "^corpus is 0.0; expected more than 0, and 1 at most"),
        ({"reals": 1.5}, "^reals is 1.5"),
        ({"actions": ("wink",)}, "^actions is 'wink'; expected one of blink"),
        ({"accumulate": 0}, "^accumulate is 0; expected 1 or more"),
        ({"early_stop": -1}, "^early_stop is -1; expected 0 or more"),
        ({"balance": "weights"}, "^balance is 'weights'; expected one of none, loss"),
    ],
)
def test_bad_settings_name_their_field(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(TINY, **change)  # type: ignore[arg-type]


def test_a_batch_that_devices_cannot_share_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^batch_size 8 for 3 devices; expected a multiple"):
        train(TINY, dataset, tmp_path, devices=Devices("cpu", devices=3))


def test_missing_files_and_empty_splits_are_named(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "d")
    manifest = read_manifest(root)
    write_manifest(root, [c for c in manifest.clips if c.split != "validation"])
    with pytest.raises(InputError, match="holds no validation clips in raw"):
        train(TINY, root, tmp_path / "runs")
    write_manifest(root, [c for c in manifest.clips if c.label == "real" or c.split != "train"])
    with pytest.raises(InputError, match="train clips in raw are all real"):
        train(TINY, root, tmp_path / "runs")
    write_manifest(root, manifest.clips)
    gone = manifest.select(split="train", quality="raw").clips[3]
    (root / gone.file_name).unlink()
    with pytest.raises(InputError, match=f"{gone.file_name}: no such file"):
        train(TINY, root, tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("*"))


def test_a_person_in_two_splits_is_refused(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "d")
    run = train(replace(TINY, epochs=1), root, tmp_path / "runs", quiet=True)
    clips = read_manifest(root).clips
    write_manifest(
        root,
        [
            c.model_copy(update={"source": "a", "identities": ("a", *filter(None, [c.driver]))})
            for c in clips
        ],
    )
    said = "source a is in .*, and as source in .*; expected each person in one split"
    for work in (
        lambda: train(TINY, root, tmp_path / "more", quiet=True),
        lambda: score(run, root, "test"),
    ):
        with pytest.raises(InputError, match=said):
            work()


def _command(dataset: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "dfmnist", "train", str(dataset), "--out", str(out), *OPTIONS,
            *more]  # fmt: skip


def _environment() -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "src")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def test_ctrl_c_and_a_loss_that_is_no_number_keep_the_last_checkpoint(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = subprocess.Popen(
        _command(dataset, tmp_path, "--epochs", "500"), env=_environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not list(tmp_path.glob("*/last.ckpt")) and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "dfmnist: stopped; run the same command to go on"
    assert "Traceback" not in said
    (folder,) = (p.parent for p in tmp_path.glob("*/last.ckpt"))
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    assert not list(folder.glob(".tmp-*"))
    # weights that are no numbers any more, as after a step that went too far
    checkpoint["state_dict"]["network.fc2.weight"].fill_(torch.nan)
    torch.save(checkpoint, folder / "last.ckpt")
    before = (folder / "last.ckpt").read_bytes()
    said = refused_at_last(capsys, "train", dataset, "--out", tmp_path, *OPTIONS, "--epochs", 500)
    assert "the loss is nan" in said
    assert "the last good checkpoint is kept" in said
    assert (folder / "last.ckpt").read_bytes() == before


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes within the `with` block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_one_line_and_keeps_the_last_checkpoint(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = train(replace(TINY, epochs=1), dataset, tmp_path, quiet=True)
    size = (whole / "weights.safetensors").stat().st_size
    for most in (size // 2, size + 1000):  # no room for the weights; for them, not the checkpoint
        out = tmp_path / str(most)
        with files_of_at_most(most):
            said = refused_at_last(capsys, "train", dataset, "--out", out, *OPTIONS, "--epochs", 2)
        assert "cannot be written" in said
        assert not list(out.glob("*/last.ckpt")) + list(out.glob("*/.tmp-*"))
        kept = list(out.glob("*/weights.safetensors"))
        assert len(kept) == (most > size)
        for path in kept:  # whole
            load_file(path)
    assert load_run(train(replace(TINY, epochs=2), dataset, out, quiet=True))  # with room again


@pytest.mark.parametrize(
    "words",
    [
        "--set actions=nod --set corpus=0.5 --set balance=loss --set betas=0.999,0.9 "
        "--set accumulate=2 --set early_stop=1 --set loss=bce --set poly_power=1",
        # as these options were spelled before
        "--actions nod --corpus 0.5 --balance loss --betas 0.999 0.9 "
        "--accumulate 2 --early-stop 1 --loss=bce --poly-power 1",
    ],
)
def test_every_setting_of_the_command_line_reaches_the_run(
    capsys: pytest.CaptureFixture[str], dataset: Path, tmp_path: Path, words: str
) -> None:
    _, said, _ = called(
        capsys, "train", dataset, "--out", tmp_path, *OPTIONS, "--epochs", 1, "--seed", 3,
        *words.split(),
    )  # fmt: skip
    (folder,) = tmp_path.iterdir()
    config = load_run(folder).config
    assert config == replace(
        TINY, epochs=1, seed=3, actions=("nod",), corpus=0.5, balance="loss", betas=(0.999, 0.9),
        accumulate=2, early_stop=1, loss="bce", poly_power=1.0,
    )  # fmt: skip
    assert "temperature" in said


@pytest.mark.soak
def test_two_processes_train_as_one(dataset: Path, tmp_path: Path) -> None:
    both = subprocess.run(
        _command(dataset, tmp_path / "two", "--epochs", "2", "--devices", "2"), env=_environment(),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert both.returncode == 0, both.stderr[-3000:]
    assert both.stdout.count("validation accuracy") == 1
    one = train(replace(TINY, epochs=2), dataset, tmp_path / "one", quiet=True)
    (two,) = (tmp_path / "two").iterdir()
    assert two.name == one.name  # where a run trains is no part of what it is
    together, alone = (pl.read_csv(f / "metrics.csv") for f in (two, one))
    assert len(together) == 2
    assert together["train_loss"][0] == pytest.approx(alone["train_loss"][0], rel=0.3)
    assert load_run(two).record["counts"] == load_run(one).record["counts"]
    assert load_run(two).record["steps"] == load_run(one).record["steps"]


def test_a_finished_run_is_where_another_starts(dataset: Path, tmp_path: Path) -> None:
    first = train(replace(TINY, epochs=1), dataset, tmp_path, quiet=True)
    other = make_dataset(tmp_path / "other", seed=100)
    on = replace(TINY, weights=str(first), epochs=1, learning_rate=1e-7, precise_bn_frames=0)
    folder = train(on, other, tmp_path, quiet=True)
    record = read_json(folder / "run.json")
    assert record["initialisation"] == f"all layers from run {first.name}"
    before, after = (load_file(f / "weights.safetensors") for f in (first, folder))
    head = "fc2.weight"
    torch.testing.assert_close(after[head], before[head], atol=1e-4, rtol=0)
    assert not torch.equal(after[head], before[head])
    moved = tmp_path / "moved"
    first.rename(moved)  # the same weights elsewhere: the same run
    assert train(replace(on, weights=str(moved)), other, tmp_path, quiet=True) == folder


def test_weights_that_are_not_there_are_never_replaced_by_random_ones(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    config = replace(TINY, network="resnet50", weights="imagenet")
    with pytest.raises(InputError, match="dfmnist fetch resnet50 --from"):
        train(config, dataset, tmp_path / "runs")
    with pytest.raises(InputError, match="no ImageNet weights of mesoinception4"):
        train(replace(TINY, weights="imagenet"), dataset, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
