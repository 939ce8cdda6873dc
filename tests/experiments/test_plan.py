"""What each table needs: shared runs, cells left out, names, steps. Nothing is trained here."""

from dataclasses import replace
from pathlib import Path

import pytest

from dfmnist import recipes
from dfmnist.core.actions import INFO, TEN
from dfmnist.core.choices import QUALITIES
from dfmnist.dataset.manifest import Clip, Manifest
from dfmnist.detectors.config import TrainConfig
from dfmnist.experiments.plan import (
    VALIDATIONS,
    DatasetCounts,
    Plan,
    PlanContext,
    RunSpec,
    count_clips,
    for_steps,
    in_order,
    steps_an_epoch,
    together,
    training_clips,
)
from dfmnist.experiments.results import ORDER
from dfmnist.experiments.run import EXPERIMENTS
from dfmnist.experiments.transfer import OURS, paper_name

TEN_OF_700 = tuple((a.value, 700) for a in TEN)
LARGE = DatasetCounts("ours", TEN_OF_700, 7000, 3000, 3000, 50)
SMALL = DatasetCounts("ours", tuple((a.value, 8) for a in TEN), 80, 20, 40, 50)


def context(counts: DatasetCounts = LARGE, *others: str, seeds: int = 1) -> PlanContext:
    recipe = recipes.experiments_paper() if counts is LARGE else recipes.experiments_demo()
    return PlanContext(counts, recipe, tuple(replace(counts, name=name) for name in others), seeds)


def plan(name: str, of: PlanContext) -> Plan:
    return EXPERIMENTS[name].plan(of)


def test_every_table_and_figure_of_the_paper_has_a_plan() -> None:
    assert list(EXPERIMENTS) == [f"table{n}" for n in range(1, 7)] + [
        f"figure{n}" for n in range(1, 11)
    ] + ["shortcut", "conclusions"]
    assert all(name == experiment.name for name, experiment in EXPERIMENTS.items())


def test_every_experiment_has_its_place_in_the_papers_order() -> None:
    assert set(ORDER) == set(EXPERIMENTS)
    assert len(ORDER) == len(EXPERIMENTS)


def test_resnet50_on_raw_is_one_run_wherever_it_is_needed() -> None:
    of = context(LARGE, "DFDC", "Face2Face")
    shared = of.run("resnet50", "raw")
    for name in ("table2", "table3", "table4", "figure3", "figure4", "figure6", "figure7"):
        assert shared in plan(name, of).runs, name
    tables = [plan(name, of).runs for name in ("table3", "table4")]
    assert set(tables[1]) < set(tables[0])  # Table 4 trains nothing of its own
    assert len(in_order([r for runs in tables for r in runs])) == 15


def test_cells_are_the_papers() -> None:
    of = context(LARGE, "deepfake", "NeuralTextures", "Face2Face", "DFDC", "DF-1.0", "Celeb-DF")
    counts = {"table2": 11, "table3": 15, "table4": 24, "table5": 12, "table6": 6}
    for name, count in counts.items():
        cells = plan(name, of).cells
        assert len(cells) == count
        assert all(cell.paper is not None and cell.scores for cell in cells), name
    assert len(plan("figure3", of).cells) == 36
    assert len(plan("figure5", of).cells) == 11
    assert len(plan("figure6", of).cells) == 33


def test_what_was_not_given_is_not_run_and_says_how() -> None:
    cells = plan("table6", context()).cells
    assert not any(cell.scores for cell in cells)
    assert "--other DFDC=MANIFEST" in cells[0].missing
    cells = plan("table2", context()).cells
    assert [cell.column for cell in cells if cell.scores] == [OURS]
    of = context(SMALL)
    meso_only = replace(of, recipe=replace(of.recipe, tables={"table3": ("mesoinception4",)}))
    ran = {cell.column for cell in plan("table3", meso_only).cells if cell.scores}
    assert ran == {"mesoinception4"}
    left = plan("table3", meso_only).cells[0].missing
    assert "--recipe paper" in left


def test_a_fine_tuned_run_comes_after_the_run_it_starts_from() -> None:
    of = context(SMALL, "mesh warp", "face swap")
    two, six = plan("table2", of), plan("table6", of)
    tuned = [r for r in two.runs if r.start is not None]
    assert [(r.dataset, r.start) for r in tuned] == [
        ("mesh warp+face swap", of.run("mesoinception4", "raw"))
    ]
    assert tuned[0].config.epochs == 7  # of 80 steps: 320 clips of 8 frames in batches of 32
    for runs in (two.runs, six.runs):
        for run in runs:
            assert run.start is None or runs.index(run.start) < runs.index(run)
    fine = [cell for cell in six.cells if cell.row == "fine-tuned" and cell.scores]
    assert [cell.column for cell in fine] == ["mesh warp", "face swap"]
    assert all(cell.scores[0].run.dataset == "ours" for cell in fine)
    # what Table 2 trains on the other attacks is what Table 6 starts from
    assert {r.start for r in six.runs if r.start} <= set(two.runs)


def test_a_name_that_the_paper_knows_goes_to_its_own_table() -> None:
    assert paper_name("Celeb-DF-v2") == "Celeb-DF"
    assert paper_name("deeperforensics-1.0") == "DF-1.0"
    assert paper_name("mesh warp") == "mesh warp"
    of = context(LARGE, "DFDC")
    assert not any(cell.column == "DFDC" for cell in plan("table2", of).cells)
    assert sum(bool(cell.scores) for cell in plan("table6", of).cells) == 2


def test_seeds_are_runs_of_one_cell() -> None:
    cell = plan("table3", context(LARGE, seeds=3)).cells[0]
    assert [s.run.config.seed for s in cell.scores] == [0, 1, 2]
    assert len({s.run for s in cell.scores}) == 3


def test_subsets_are_counted_as_they_are_drawn() -> None:
    of = context()
    shares = [s.run.config for c in plan("figure3", of).cells for s in c.scores]
    assert training_clips(min(shares, key=lambda c: c.corpus), LARGE) == (10, 10)
    single = plan("figure5", of).cells[0].scores[0].run.config
    assert training_clips(single, LARGE) == (700, 700)
    tenth = plan("figure4", of).cells
    parts = {c.row: training_clips(c.scores[0].run.config, LARGE) for c in tenth}
    assert parts == {
        "1:1": (7000, 7000),
        "1:2 more real": (3500, 7000),
        "1:2 more fake": (7000, 3500),
        "1:10 more real": (700, 7000),
        "1:10 more fake": (7000, 700),
    }


def test_a_corpus_of_too_few_clips_is_not_run() -> None:
    cells = {(c.row, c.column): c for c in plan("figure3", context(SMALL)).cells}
    assert cells["10%", "raw"].scores
    assert "4 fake and 4 real training clips would be left of 80 and 80" in (
        cells["5%", "raw"].missing
    )
    assert not cells["1%", "raw"].scores
    assert cells["10 fakes", "raw"].scores  # as many, whatever the dataset's size
    for least, runs in ((8, True), (9, False)):  # a tenth is eight fakes
        of = context(SMALL)
        of = replace(of, recipe=replace(of.recipe, least_fakes=least))
        cells = {(c.row, c.column): c for c in plan("figure3", of).cells}
        assert bool(cells["10%", "raw"].scores) is runs


def test_a_tenth_of_the_corpus_takes_as_many_validations_as_all_of_it() -> None:
    of = context(SMALL)
    for share, passes, epochs in ((1.0, 2, 7), (0.1, 13, 10)):  # 40 and 4 steps a pass, of 500
        config = of.run("mesoinception4", corpus=share).config
        assert (config.passes, config.epochs) == (passes, epochs)


def test_an_epoch_has_at_least_the_passes_that_the_recipe_asks_for() -> None:
    recipe = recipes.demo().experiments
    config = PlanContext(SMALL, recipe).run("resnet50").config
    assert (config.passes, config.epochs) == (4, 1)  # 40 steps a pass, of 120: one validation


def test_a_network_of_raw_clips_alone_has_no_other_cell() -> None:
    of = context()
    of = replace(of, recipe=replace(of.recipe, raw_only=("resnet50",)))
    cells = [c for name in ("table3", "table4", "table5") for c in plan(name, of).cells]
    resnet = [c for c in cells if any(s.run.config.network == "resnet50" for s in c.scores)]
    assert [(c.row, c.column) for c in resnet] == [("raw", "resnet50")]
    missing = {c.missing for c in cells if "resnet50" in (c.row, c.column) and not c.scores}
    assert len(missing) == 3  # one for each table
    assert all(text.startswith("ResNet-50 is run on raw clips alone") for text in missing)


@pytest.mark.parametrize("name", ["table2", "table3", "table5", "figure3", "figure4", "figure5"])
def test_every_run_of_the_demo_has_its_steps_and_few_validations(name: str) -> None:
    of = context(SMALL, "mesh warp", "face swap")
    runs: tuple[RunSpec, ...] = plan(name, of).runs
    for run in runs:
        wanted = of.recipe.steps[run.config.network]
        each = steps_an_epoch(run.config, of.counts(run.dataset))
        assert run.config.epochs * each >= wanted
        assert (run.config.epochs - 1) * each < wanted
        assert run.config.epochs <= VALIDATIONS


def test_steps_of_nothing() -> None:
    empty = DatasetCounts("none", (), 0, 0, 0, 0)
    config = recipes.experiments_demo().config("resnet50")
    assert steps_an_epoch(config, empty) == 0
    assert for_steps(config, empty, 300) == config
    assert together("two", [SMALL, SMALL]).num_fakes == 160


def run_and_tested(name: str, row: str, column: str, of: PlanContext) -> tuple[TrainConfig, str]:
    """The config that a cell's detector is trained with, and the quality it is tested on."""
    (cell,) = (c for c in plan(name, of).cells if (c.row, c.column) == (row, column))
    (score,) = cell.scores
    return score.run.config, score.quality


def test_table3_trains_and_tests_each_network_on_one_quality() -> None:
    for quality in QUALITIES:
        for network in ("resnet50", "resnet152", "xception", "mesoinception4"):
            config, tested = run_and_tested("table3", quality, network, context())
            assert (config.network, config.quality, tested) == (network, quality, quality)


def test_table4_tests_on_another_quality_than_it_trains_on() -> None:
    for network in ("resnet50", "xception"):
        for trained, other in (("raw", "c40"), ("c23", "raw"), ("c40", "c23")):
            config, tested = run_and_tested("table4", network, f"{trained}->{other}", context())
            assert (config.network, config.quality, tested) == (network, trained, other)


def test_table5_trains_on_all_qualities() -> None:
    for quality in QUALITIES:
        config, tested = run_and_tested("table5", quality, "resnet152", context())
        assert (config.network, config.quality, tested) == ("resnet152", "mixed", quality)


def test_figure3_has_two_networks_as_in_the_paper() -> None:
    for quality in QUALITIES:
        config, tested = run_and_tested("figure3", "10%", quality, context())
        assert (config.network, config.quality, tested) == ("resnet50", quality, quality)
        assert config.corpus == 0.1
        config, tested = run_and_tested("figure3", "10%", f"mixed->{quality}", context())
        assert (config.network, config.quality, tested) == ("resnet152", "mixed", quality)


def test_figure5_trains_on_the_action_of_its_row() -> None:
    for action in TEN:
        config, tested = run_and_tested("figure5", INFO[action].title, "raw", context())
        assert (config.network, config.actions, tested) == ("resnet50", (action.value,), "raw")


def test_figure6_tests_each_action_in_each_quality() -> None:
    for cell in plan("figure6", context()).cells:
        (score,) = cell.scores
        assert score.run.config.quality == score.quality == cell.column
        titles = {INFO[a].title: a.value for a in TEN}
        assert cell.part == titles.get(cell.row, "real")


def test_the_papers_recipe_is_the_papers() -> None:
    folder = Path("weights")
    recipe = recipes.paper(folder)
    assert (recipe.build.per_action, recipe.build.num_frames) == (1000, 50)
    assert recipe.build.driver_protocol == "shared"
    configs = {c.network: c for c in recipe.experiments.training}
    for network, side in (
        ("resnet50", 224), ("resnet101", 224), ("resnet152", 224),
        ("xception", 256), ("mesoinception4", 256),
    ):  # fmt: skip
        config = configs[network]
        assert (config.epochs, config.batch_size, config.learning_rate) == (50, 64, 2e-4)
        assert config.size_px == side
        assert config.pairing == "none"
        meso = network == "mesoinception4"
        assert config.weights == ("none" if meso else str(folder / f"{network}.pth"))
        assert config.freeze == (network == "xception")
    of = replace(context(), recipe=recipe.experiments)
    for run in plan("table3", of).runs:
        assert run.config.epochs == 50  # the paper's, not a number of steps


def test_clips_are_counted_once_whatever_their_qualities() -> None:
    def clip(number: int, label: str, split: str, action: str | None, frames: int) -> list[Clip]:
        name = f"{label}-{split}-{number}"
        return [
            Clip(
                file_name=f"{quality}/{name}.mp4", clip_id=name, label=label, split=split,
                action=action, identities=("ann",), quality=quality, fps="25", num_frames=frames,
                width=64, height=64, method="fomm" if label == "fake" else "",
            )
            for quality in ("raw", "c40")
        ]  # fmt: skip

    clips = [
        *clip(0, "fake", "train", "yaw", 9), *clip(1, "fake", "train", "yaw", 9),
        *clip(2, "fake", "train", "nod", 9), *clip(0, "real", "train", "talk", 7),
        *clip(0, "fake", "validation", "yaw", 9), *clip(0, "real", "test", "talk", 9),
        *clip(1, "real", "test", "talk", 9),
    ]  # fmt: skip
    found = count_clips("ours", Manifest(Path("x"), tuple(clips)))
    fakes = (("nod", 1), ("yaw", 2))
    assert found == DatasetCounts("ours", fakes, 1, 1, 2, 7, True, ("raw", "c40"))
    smiling = (*clips, *clip(2, "real", "test", "smile", 9))
    assert not count_clips("ours", Manifest(Path("x"), smiling)).talks
    assert count_clips("none", Manifest(Path("x"), ())).frames == 0


def test_another_dataset_is_trained_on_in_the_best_quality_that_both_have() -> None:
    for qualities, best in ((("c23", "c40"), "c23"), (("original", "c40"), "c40"), (("hq",), "hq")):
        other = replace(LARGE, name="other", qualities=qualities)
        assert replace(context(), others=(other,)).quality_on("other") == best
    nothing = replace(context(), others=(replace(LARGE, name="other", qualities=()),))
    assert nothing.quality_on("other") == "raw"


def test_datasets_together_have_what_all_of_them_have() -> None:
    one = DatasetCounts("one", (("nod", 3), ("yaw", 1)), 5, 6, 7, 50, True, ("raw", "c23", "c40"))
    two = DatasetCounts("two", (("", 2), ("nod", 4)), 10, 20, 30, 8, False, ("c40", "raw"))
    assert together("both", [one, two]) == DatasetCounts(
        "both", (("", 2), ("nod", 7), ("yaw", 1)), 15, 26, 37, 8, False, ("raw", "c40")
    )
    assert together("same", [one, one]).talks


def test_short_clips_and_accumulated_batches_make_fewer_steps() -> None:
    counts = DatasetCounts("x", (("nod", 10),), 10, 0, 0, frames=4)
    config = TrainConfig(frames_per_clip=8, batch_size=8, passes=1)
    assert steps_an_epoch(config, counts) == 20 * 4 // 8
    assert steps_an_epoch(replace(config, passes=3), counts) == 30
    assert steps_an_epoch(replace(config, accumulate=4), counts) == 3  # the last one of two
    assert steps_an_epoch(replace(config, batch_size=1000), counts) == 1
    assert training_clips(replace(config, actions=("nod",)), replace(counts, reals=30)) == (10, 10)


def test_a_cell_says_which_quality_and_which_actions_are_missing() -> None:
    of = context(SMALL, "other")
    poor = replace(of, others=(replace(of.others[0], qualities=("c40",)),))
    cell = poor.cell("r", "c", None, lambda seed: of.run("mesoinception4"), on="other")
    assert (cell.scores, cell.missing) == ((), "other has no clips in raw, only c40")
    cell = poor.cell("r", "c", None, lambda seed: of.run("mesoinception4", dataset="other"))
    assert cell.missing == "other has no clips in raw, only c40"  # nothing to train on
    imported = replace(of, main=replace(SMALL, qualities=("original",)))
    assert (of.tested_in("c40"), imported.tested_in("c40")) == ("c40", "original")
    silent = replace(of, main=replace(SMALL, fakes=(("", 80),)))
    cell = silent.cell("r", "c", None, lambda seed: of.run("mesoinception4", actions=("nod",)))
    assert cell.missing.startswith("ours states no actions")
    every = {c.row: c.missing for c in plan("figure6", silent).cells if c.column == "raw"}
    assert sum(why == cell.missing for why in every.values()) >= 10  # each row of an action
    few = replace(of, main=replace(SMALL, fakes=(("nod", 1),), reals=1))
    assert few.cell("r", "c", None, lambda seed: few.run("mesoinception4")).scores  # all there are
    none = replace(of, main=replace(SMALL, reals=0))
    cell = none.cell("r", "c", None, lambda seed: none.run("mesoinception4"))
    assert "80 fake and 0 real training clips would be left" in cell.missing


def test_a_fine_tuning_trains_every_layer_from_its_start() -> None:
    of = replace(context(LARGE, "DFDC"), recipe=recipes.experiments_paper(Path("weights")))
    start = of.run("xception")
    tuned = of.run("xception", dataset="DFDC", start=start)
    assert start.config.freeze
    assert (tuned.config.freeze, tuned.config.weights, tuned.start) == (False, "none", start)
