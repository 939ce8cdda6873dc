"""Which detector judges: a run, a file of weights, a published name; and what is said of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from tests.detectors.test_train import TINY

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.published_weights import PUBLISHED
from dfmnist.detectors.chosen import choose_detector
from dfmnist.detectors.familiar import FILE, fit_familiar, write_familiar
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.run import RUN, WEIGHTS
from dfmnist.detectors.train import train


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(replace(TINY, epochs=1), dataset, tmp_path_factory.mktemp("runs"), quiet=True)


def test_a_run_says_what_it_was_trained_on_and_what_it_cannot_tell(run: Path) -> None:
    facts = choose_detector(run).facts
    assert facts.name == run.name
    counts = read_json(run / RUN)["counts"]["train"]
    assert facts.trained_on.startswith(f"{counts['real']} real and {counts['fake']} fake clips in ")
    assert facts.knows is None  # of two people
    assert "It cannot say that a face is outside what it knows" in " ".join(facts.cannot_tell)
    assert facts.no_verdict.startswith("on its own 4 validation clips it was not above chance")
    assert choose_detector(run / WEIGHTS).facts == facts


def test_what_a_run_knows_belongs_to_its_weights(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    rng = np.random.default_rng(0)
    clips = [rng.random((2, 16)).astype(np.float32) for _ in range(12)]
    known = fit_familiar(clips, [f"p{i}" for i in range(12)])
    assert known is not None
    sha256 = read_json(run / RUN)["trained_weights_sha256"]
    write_familiar(known, copy / FILE, {"weights_sha256": sha256})
    facts = choose_detector(copy).facts
    assert facts.knows is not None
    assert facts.knows.people == 12
    write_familiar(known, copy / FILE, {"weights_sha256": "0" * 64})
    with pytest.raises(InputError, match="made with other weights"):
        choose_detector(copy)


def test_a_good_validation_gives_a_verdict(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    record = read_json(copy / RUN)
    record["best_validation"] |= {"val_auc": 0.9}
    record["counts"]["validation"] |= {"fake": 50, "real": 50}
    write_json(copy / RUN, record)
    assert choose_detector(copy).facts.no_verdict == ""


def test_a_file_of_weights_is_known_by_what_fits_it(tmp_path: Path) -> None:
    state = {name: value.contiguous() for name, value in build("meso4").state_dict().items()}
    save_file(state, tmp_path / "m.safetensors", metadata={"threshold": "0.25"})
    found = choose_detector(tmp_path / "m.safetensors")
    assert (found.facts.network, found.facts.threshold) == ("meso4", 0.25)
    assert "does not say" in found.facts.trained_on
    assert found.facts.no_verdict == ""
    save_file({"x": state["fc2.bias"]}, tmp_path / "x.safetensors")
    for file in ("x.safetensors", "t.pth"):
        (tmp_path / "t.pth").write_text("no weights")
        with pytest.raises(InputError, match=file.replace(".", r"\.")):
            choose_detector(tmp_path / file)


def test_a_published_name(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path))
    file = shared / "data" / "weights" / "mesonet" / "Meso4_DF.h5"
    by_file = choose_detector(file).facts
    assert (by_file.network, by_file.trained_on) == ("meso4", "Deepfakes, by MesoNet's authors")
    PUBLISHED["meso4-df"].path.parent.mkdir()
    shutil.copy(file, PUBLISHED["meso4-df"].path)
    by_name = choose_detector("meso4-df").facts
    assert by_name.name == "meso4-df"
    assert by_name.weights_sha256 == by_file.weights_sha256
    assert "not calibrated" in " ".join(by_name.cannot_tell)


def test_what_is_no_detector_is_refused(tmp_path: Path) -> None:
    for given, said in (
        ("resnet50", "knows objects, not fakes: it is a start for training; expected a finished"),
        ("vgg19", "--run vgg19: is no detector"),
        ("nothing", "nothing: no such run, file or name; expected .* mesoinception4-df"),
        (tmp_path, "holds no run.json"),
    ):
        with pytest.raises(InputError, match=said):
            choose_detector(given)
