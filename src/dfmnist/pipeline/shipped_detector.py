"""Packing of a trained detector so that it can ship: weights in float16, and a full record.

The record says which people, clips, qualities and animators the detector was trained and
calibrated on, and what it was never shown.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, holds_folder, read_json, sha256_file, write_json
from dfmnist.dataset.manifest import Clip, manifest_hash, read_manifest
from dfmnist.detectors.heldout import measure_familiar
from dfmnist.detectors.run import CONFIG, RUN, WEIGHTS, is_finished, read_metadata, read_run
from dfmnist.pipeline.detector_corpus import SETTINGS

KIND = "shipped detector"
NEVER_SHOWN = (
    "real people, in real or in fake clips",
    "fakes made otherwise than by a First Order Motion Model, a mesh warp or an affine warp",
    "face swaps, and faces that are generated from nothing",
    "frames in which a face fills much more or less than the face crop's usual share",
)
"""What no corpus of `detector_corpus` holds."""
_OF_THE_MACHINE = ("devices", "seconds", "step_seconds", "torch", "waited_for_frames")


@holds_folder("out", KIND)
def pack_detector(run: Path, corpus: Path, out: Path) -> Path:
    """Write the finished run `run`, trained on the corpus folder `corpus`, to the folder `out`.

    The folder is again a finished run. Its weights are float16, half the size; scores change by
    less than 0.01. What it knows is measured anew with these weights on the corpus's validation
    clips, which takes minutes. Raises `InputError` if the run was trained on other clips.
    """
    record = read_run(run).record
    if record["manifest_hash"] != manifest_hash(corpus):
        raise InputError.of(run, "was trained on another dataset", f"a run on {corpus}")
    state = {
        name: value.half() if value.dtype == torch.float32 else value
        for name, value in load_file(run / WEIGHTS).items()
    }
    with atomic_path(out / WEIGHTS) as temporary:
        save_file(state, temporary, metadata=read_metadata(run / WEIGHTS))
    config = read_json(run / CONFIG)
    before = Path(config["weights"])
    if is_finished(before):  # a path of the maker's machine, and what stands behind it
        config["weights"] = before.name
        record = record | {"started_from": _without_machine(read_run(before).record)}
    write_json(out / CONFIG, config)
    kept = _without_machine(record)
    kept["trained_weights_sha256"] = sha256_file(out / WEIGHTS)
    write_json(out / RUN, kept | {"trained_on": describe_corpus(corpus)})
    measure_familiar(out, corpus)
    return out


def _without_machine(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in _OF_THE_MACHINE}


def describe_corpus(corpus: Path) -> dict[str, Any]:
    """People, clips, actions, qualities and animators of the corpus in the folder `corpus`."""
    clips = read_manifest(corpus).clips
    about: dict[str, Any] = {"settings": read_json(corpus / SETTINGS)}
    about["settings"].pop("makers", None)  # paths of one machine; `generators` has their names
    about["manifest_hash"] = manifest_hash(corpus)
    about["splits"] = {
        split: _split([c for c in clips if c.split == split])
        for split in sorted({c.split for c in clips})
    }
    about["never_shown"] = list(NEVER_SHOWN)
    return about


def _split(clips: list[Clip]) -> dict[str, Any]:
    raw = [c for c in clips if c.quality == clips[0].quality]
    people = sorted({c.source for c in clips})
    return {
        "people": len(people),
        "first_person": people[0],
        "last_person": people[-1],
        "qualities": sorted({c.quality for c in clips}),
        "clips_each_quality": dict(sorted(Counter(c.label for c in raw).items())),
        "actions": dict(sorted(Counter(c.action_name for c in raw).items())),
        "generators": dict(sorted(Counter(c.generator for c in raw if c.generator).items())),
    }
