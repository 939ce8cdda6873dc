"""Finished runs are read without torch, also those that earlier versions wrote."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.detectors.test_train import TINY

from dfmnist.core import files
from dfmnist.core.choices import QUALITIES, Quality
from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.dataset.manifest import read_manifest
from dfmnist.detectors.calibrate import Calibration
from dfmnist.detectors.chosen import chosen_run
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks.builders import BUILDERS
from dfmnist.detectors.networks.names import NETWORKS, published_loss, published_size_px
from dfmnist.detectors.predict import Looking, detect_file
from dfmnist.detectors.run import (
    CONFIG,
    RUN,
    WEIGHTS,
    load_run,
    read_calibration,
    read_config,
    read_run,
)
from dfmnist.detectors.train import train

SRC = Path(__file__).resolve().parents[2] / "src"
READ = """
import sys
from pathlib import Path
import dfmnist.detectors.compare
import dfmnist.detectors.config
import dfmnist.detectors.metrics
import dfmnist.detectors.networks.names
import dfmnist.detectors.scores
import dfmnist.detectors.summary
from dfmnist.detectors.run import read_calibration, read_run

run = read_run(Path(sys.argv[1]))
assert run.calibration == read_calibration(run.folder / "weights.safetensors")
print("torch" in sys.modules)
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "resnet50-raw-abcdef123456"
    write_json(folder / CONFIG, plain(TrainConfig(betas=(0.9, 0.99), actions=("nod",))))
    write_json(folder / RUN, {"calibration": {"temperature": 2.0, "threshold": 0.25}})
    about = {"temperature": "2.0", "threshold": "0.25"}
    save_file({"fc.bias": np.zeros(1, np.float32)}, folder / WEIGHTS, metadata=about)
    return folder


def test_reading_a_finished_run_needs_no_torch(run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ, str(run)],
        env=os.environ | {"PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"


def test_a_run_record_holds_config_and_calibration(run: Path) -> None:
    found = read_run(run)
    assert found.config == TrainConfig(betas=(0.9, 0.99), actions=("nod",))
    assert found.hash == "abcdef123456"
    assert found.calibration == read_calibration(run / WEIGHTS)


def test_a_precision_in_the_old_spelling_is_read(run: Path) -> None:
    values = read_json(run / CONFIG)
    write_json(run / CONFIG, values | {"precision": "32"})
    assert read_config(run).precision == "f32"


@pytest.mark.parametrize(
    ("calibration", "said"),
    [
        ('{"temperature": NaN, "threshold": 0.5}', "calibration.temperature: "),
        ('{"temperature": 0, "threshold": 0.5}', "calibration.temperature: "),
        ('{"temperature": -2, "threshold": 0.5}', "calibration.temperature: "),
        ('{"temperature": Infinity, "threshold": 0.5}', "calibration.temperature: "),
        ('{"temperature": 1, "threshold": NaN}', "calibration.threshold: "),
        ('{"temperature": 1, "threshold": 0}', "calibration.threshold: "),
        ('{"temperature": 1, "threshold": 1}', "calibration.threshold: "),
        ('{"temperature": 1, "threshold": 2}', "calibration.threshold: "),
        ('{"temperature": [1], "threshold": 0.5}', "calibration.temperature: "),
        ("null", "calibration: "),
    ],
)
def test_a_calibration_that_gives_no_verdict_is_refused(
    run: Path, calibration: str, said: str
) -> None:
    (run / RUN).write_text(f'{{"calibration": {calibration}}}')
    with pytest.raises(InputError, match=f"{RUN}: {said}"):
        read_run(run)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ('{"steps": "many"}', "steps: "),
        ('{"steps": null}', "steps: "),
        (f'{{"steps": 1{"0" * 400}}}', "steps: "),
        ('{"initialisation": ["<b>"]}', "initialisation: "),
    ],
)
def test_a_record_of_wrong_types_is_refused(run: Path, record: str, said: str) -> None:
    (run / RUN).write_text(record)
    with pytest.raises(InputError, match=f"{RUN}: {said}"):
        read_run(run)


def test_what_a_record_does_not_say_has_a_default(run: Path) -> None:
    (run / RUN).write_text('{"calibration": {"threshold": "0.25", "other": 1}, "frame_px": null}')
    found = read_run(run)
    assert found.calibration == Calibration(1.0, 0.25)
    assert found.frame_px == found.config.input_size_px
    assert (found.steps, found.initialisation) == (0, "not recorded")


@pytest.mark.parametrize("text", ["[]", "7", "null", '"run"'])
@pytest.mark.parametrize("name", [RUN, CONFIG])
def test_a_record_that_is_no_object_is_refused(run: Path, name: str, text: str) -> None:
    (run / name).write_text(text)
    with pytest.raises(InputError, match=f"{name}: holds a .*; expected a JSON object"):
        read_run(run)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epochs": "many"}, "epochs: "),
        ({"epochs": None}, "epochs: "),
        ({"epochs": 10**12}, "epochs is 1000000000000; expected 1,000,000 or less"),
        ({"size_px": 10**12}, "size_px is 1000000000000; expected 32 to 4096"),
        ({"crop_px": -1}, "crop_px is -1; expected 32 to 4096"),
        ({"betas": [0.9]}, "betas"),
        ({"network": ["resnet50"]}, "network: "),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"pooling": "most"}, "pooling: "),
        ({"colour": "red"}, "'colour' is no setting"),
    ],
)
def test_a_config_of_wrong_types_is_refused(
    run: Path, values: dict[str, object], said: str
) -> None:
    write_json(run / CONFIG, read_json(run / CONFIG) | values)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read_run(run)
    assert CONFIG in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "is nested too deeply"),
        ('{"a":' * 100_000, "is nested too deeply"),
        ("1" * 5000, "not valid JSON"),
        ("{", "not valid JSON"),
    ],
    ids=["list", "object", "number", "half"],
)
def test_json_that_python_cannot_hold_is_one_line(run: Path, text: str, said: str) -> None:
    (run / RUN).write_text(text)
    with pytest.raises(InputError, match=f"{RUN}: {said}"):
        read_run(run)


def test_a_json_file_has_a_largest_size(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_JSON_BYTES", 10)
    with pytest.raises(InputError, match="expected a JSON file of at most"):
        read_run(run)


def test_weights_that_were_swapped_are_refused(dataset: Path, tmp_path: Path) -> None:
    folder = train(replace(TINY, epochs=1), dataset, tmp_path, quiet=True)
    assert load_run(folder)
    state = load_file(folder / WEIGHTS)
    save_file({k: np.asarray(v + 1) for k, v in state.items()}, folder / WEIGHTS)
    with pytest.raises(InputError, match=f"{WEIGHTS}: is not the file that this run ended with"):
        load_run(folder)


@pytest.mark.parametrize("left", [lambda path: None, Path.mkdir], ids=["missing", "a folder"])
def test_weights_that_are_no_file_are_named(run: Path, left: Callable[[Path], None]) -> None:
    (run / WEIGHTS).unlink()
    left(run / WEIGHTS)
    write_json(run / RUN, {"trained_weights_sha256": "0" * 64})
    with pytest.raises(InputError, match=f"{WEIGHTS}: no such file; expected the weights of a fin"):
        load_run(run)


def test_no_verdict_without_a_finite_score(dataset: Path, tmp_path: Path) -> None:
    run = load_run(train(replace(TINY, epochs=1), dataset, tmp_path, quiet=True))
    for parameter in run.network.parameters():
        parameter.data.fill_(float("nan"))
    clip = read_manifest(dataset).clips[0].file_name
    with pytest.raises(InputError, match="not a finite number, so there is no verdict"):
        detect_file(dataset / clip, chosen_run(run, "run"), Looking(cropped=True))


def test_weights_that_cannot_be_read_are_named(run: Path) -> None:
    (run / WEIGHTS).write_bytes(b"not weights")
    with pytest.raises(InputError, match=rf"{WEIGHTS}: cannot be read"):
        read_calibration(run / WEIGHTS)


def test_every_name_has_a_network_and_the_papers_setting() -> None:
    assert tuple(BUILDERS) == NETWORKS
    for name in NETWORKS:
        assert BUILDERS[name]().size_px == published_size_px(name)
    assert [n for n in NETWORKS if published_loss(n) == "mse"] == ["mesoinception4", "meso4"]
    assert tuple(Quality) == QUALITIES


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("precision", "32", "auto, f32, bf16"),
        ("loss", "l1", "bce, mse"),
        ("last_stride", 3, "1, 2"),
    ],
)
def test_a_value_that_is_no_choice_is_refused(field: str, value: object, allowed: str) -> None:
    with pytest.raises(InputError, match=rf"^{field} is '{value}'; expected one of {allowed}$"):
        replace(TrainConfig(), **{field: value})  # type: ignore[arg-type]
