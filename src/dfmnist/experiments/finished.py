"""Results of a dataset and of runs that were trained and scored by hand, without torch.

`dfmnist train` and `dfmnist score` leave run folders; Table 3 and Figure 6 are measured from their
score tables by the code that measures an experiment's.
"""

from dataclasses import replace
from pathlib import Path

import polars as pl

from dfmnist.core.actions import TEN
from dfmnist.core.choices import QUALITIES
from dfmnist.dataset.manifest import Manifest, manifest_hash
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.external import ExternalDetector
from dfmnist.detectors.networks.names import is_timm
from dfmnist.detectors.run import WEIGHTS, RunRecord, is_finished, read_run
from dfmnist.detectors.scores import EXTERNAL, read_notes, read_scores
from dfmnist.experiments import actions, compression, dataset_figures, paper
from dfmnist.experiments.execute import Executed, RunOutcome
from dfmnist.experiments.experiment import Experiment, Made, write_all
from dfmnist.experiments.paper import ALL_MODELS, MODELS, PaperValue
from dfmnist.experiments.plan import CellSpec, Plan, PlanContext, RunSpec, ScoreSpec, count_clips
from dfmnist.experiments.recipe import MAIN_MODEL, ExperimentRecipe

SCORES = "scores-test.parquet"
"""The scores that `dfmnist score` leaves in a run's folder."""
_MISSING = (
    "no such run is finished and scored; dfmnist train DATASET --network NETWORK --quality "
    "QUALITY, then dfmnist score RUN DATASET"
)
_Runs = dict[tuple[str, str], RunRecord]
"""Quality and network → run."""


def write_run_results(runs: Path, manifest: Manifest, out: Path) -> Path:
    """Write what the dataset and the finished runs below `runs` show, each result into `out/NAME`.

    Table 3 and Figure 6 from the runs; Table 1 and Figures 1, 2 and 9 from the dataset alone.
    Runs count that were trained on the whole training split of this dataset in one quality, from
    no other run, and are scored; among runs of one network and quality, the one of most steps. A
    cell without a run says how to make it. Returns the page of Markdown with all. Raises
    `InputError` for a file that cannot be read.
    """
    found = _scored_runs(runs, manifest)
    shown = {network for _, network in found}
    networks = [m for m in (*ALL_MODELS, *sorted(shown - set(ALL_MODELS))) if m in shown]
    main = networks[0] if networks else MAIN_MODEL
    counts = count_clips(manifest.root.resolve().name, manifest)
    brought = _brought(runs, manifest)
    context = PlanContext(counts, _recipe(found, main), external=tuple(brought))
    specs = {key: RunSpec(run.config, counts.name) for key, run in found.items()}
    executed = Executed(
        {specs[key]: RunOutcome(run.folder) for key, run in found.items()},
        {_score(specs[key]): run.folder / SCORES for key, run in found.items()}
        | {
            ScoreSpec(detector, counts.name, quality): path
            for detector, path in brought.items()
            for quality in QUALITIES
        },
    )
    manifests = {counts.name: manifest}

    def made(experiment: Experiment, plan: Plan) -> Made:
        return Made(experiment, plan, context, manifests, executed)

    return write_all(
        [
            made(dataset_figures.TABLE1, Plan()),
            made(dataset_figures.FIGURE1, Plan()),
            made(dataset_figures.FIGURE2, Plan()),
            made(compression.TABLE3, _table3(specs, context)),
            made(actions.FIGURE6, _figure6(specs, main)),
            made(dataset_figures.FIGURE9, Plan()),
        ],
        out,
    )


def _brought(runs: Path, manifest: Manifest) -> dict[ExternalDetector, Path]:
    """Scores of the user's detectors below `runs` on the test split of this dataset.

    `dfmnist score --detector` and `dfmnist score import` leave them.
    """
    made_on = manifest_hash(manifest.root)
    found: dict[ExternalDetector, Path] = {}
    for path in sorted(runs.glob(f"*/{SCORES}")):
        if is_finished(path.parent):
            continue
        notes = read_notes(path)
        name = notes.get(EXTERNAL, "")
        if name and notes.get("manifest") == made_on and name not in ALL_MODELS:
            if any(other.name == name for other in found):  # the newest folder of a name wins
                found = {d: p for d, p in found.items() if d.name != name}
            found[ExternalDetector(notes.get("detector", ""), "file", name)] = path
    return found


def _scored_runs(runs: Path, manifest: Manifest) -> _Runs:
    """The scored runs that have a cell in Table 3."""
    made_on, found = manifest_hash(manifest.root), []
    for folder in sorted(p for p in runs.glob("*") if is_finished(p)):
        run = read_run(folder)
        if run.record.get("manifest_hash") == made_on and is_whole(run) and _is_scored(run):
            found.append(run)
    found.sort(key=lambda r: (r.steps, r.folder.name))
    return {
        (r.config.quality, r.config.network): r
        for r in found
        if r.config.network in ALL_MODELS or is_timm(r.config.network)
    }


def is_whole(run: RunRecord) -> bool:
    """Whether a run was trained on the whole training split, and not from another run."""
    c, start = run.config, run.initialisation
    part = c.actions or min(c.corpus, c.fakes, c.reals) < 1
    return not part and " from run " not in start and not start.endswith(WEIGHTS)


def _is_scored(run: RunRecord) -> bool:
    """Whether the run has scores of the test split in the quality that it was trained on."""
    path = run.folder / SCORES
    if run.config.quality not in QUALITIES or not path.is_file():
        return False
    mine = read_scores(path).filter(pl.col("quality") == run.config.quality)
    return not mine.drop_nulls("logit").is_empty()


def _recipe(found: _Runs, main: str) -> ExperimentRecipe:
    """The recipe that the runs amount to: their configs, a network once."""
    configs = {network: run.config for (_, network), run in found.items()}
    first = configs.get(main, TrainConfig())
    training = {main: replace(first)} | configs
    return ExperimentRecipe(
        name="", training=tuple(training.values()), tables={}, mixed_corpus=main, steps=None,
        main=main,
    )  # fmt: skip


def _score(run: RunSpec) -> ScoreSpec:
    return ScoreSpec(run, run.dataset, run.config.quality)


def _cell(
    specs: dict[tuple[str, str], RunSpec],
    place: tuple[str, str],
    run: tuple[str, str],
    published: PaperValue | None,
    part: str = "",
) -> CellSpec:
    if run not in specs:
        return CellSpec(*place, published, missing=_MISSING)
    return CellSpec(*place, published, (_score(specs[run]),), part=part)


def _table3(specs: dict[tuple[str, str], RunSpec], context: PlanContext) -> Plan:
    others = sorted({network for _, network in specs} - set(ALL_MODELS))
    cells = []
    for quality in QUALITIES:
        cells += [
            _cell(specs, (quality, model), (quality, model), paper.TABLE3.get((quality, model)))
            for model in (*ALL_MODELS, *others)
            if model in MODELS or (quality, model) in specs
        ]
        cells += [context.external_cell(quality, detector) for detector in context.external]
    return Plan(tuple(cells))


def _figure6(specs: dict[tuple[str, str], RunSpec], main: str) -> Plan:
    cells = []
    for action in (*TEN, None):
        row, part = actions.place_of(action)
        for quality in QUALITIES:
            published = paper.figure6(action, quality)
            cells.append(_cell(specs, (row, quality), (quality, main), published, part))
    return Plan(tuple(cells))
