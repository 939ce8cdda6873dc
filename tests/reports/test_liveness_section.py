"""The section of liveness results on the page: shown where they lie, of this dataset alone."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Manifest, manifest_hash, read_manifest
from dfmnist.experiments.results import (
    LIVENESS,
    LIVENESS_FOLDER,
    Heading,
    ResultCell,
    ResultTable,
    read_result,
    write_result,
)
from dfmnist.reports.page import write_report


def result(name: str, manifest: Manifest, folder: Path) -> None:
    cell = ResultCell(row="a, raw", column="BPCER", state="run", value=0.25, low=0.1, high=0.4,
                      n=8, groups=4)  # fmt: skip
    (folder / name).mkdir(parents=True)
    (folder / name / "rates.csv").write_text("a\n")
    table = ResultTable(
        name=name,
        title="Liveness detectors: error rates",
        rows=(Heading(key="a, raw", title="a, raw"),),
        columns=(Heading(key="BPCER", title="BPCER"),),
        cells=(cell,),
        files=("rates.csv",),
        manifest_hash=manifest_hash(manifest.root),
    )
    write_result(folder / name, table)


def test_the_page_shows_the_results_in_the_dataset(made: Any, whole: Any, tmp_path: Path) -> None:
    dataset, out = tmp_path / "dataset", tmp_path / "page"
    shutil.copytree(made.dataset, dataset)
    manifest = read_manifest(dataset)
    folder = dataset / LIVENESS_FOLDER
    for name in LIVENESS:
        result(name, manifest, folder)
    page, _ = write_report(dataset, out, made.context, experiments=whole.experiments)
    html = page.read_text(encoding="utf-8")
    section = html[html.index('<section id="liveness"') : html.index('<section id="paper"')]
    assert "25.0%" in section
    assert "10.0 to 40.0%" in section.replace("%–", " to ").replace("–", " to ")
    assert '<a href="#liveness">' in html
    assert (out / "assets" / "paper" / LIVENESS[0] / "rates.csv").read_text() == "a\n"
    assert 'id="liveness"' not in made.html
    changed = ResultTable.model_validate(
        dict(read_result(folder / LIVENESS[0])) | {"manifest_hash": "0" * 64}
    )
    write_result(folder / LIVENESS[0], changed)
    with pytest.raises(InputError, match="was made on another dataset"):
        write_report(dataset, out, made.context, experiments=whole.experiments)
