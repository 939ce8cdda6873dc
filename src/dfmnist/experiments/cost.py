"""What plans will take: distinct runs, clips, steps, and time from one measured step of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dfmnist.core.console import progress_bar
from dfmnist.core.jobs import cpu_count, current_engine, gpu_count
from dfmnist.detectors.config import TrainConfig
from dfmnist.experiments.experiment import Experiment
from dfmnist.experiments.paper import MODEL_TITLES
from dfmnist.experiments.plan import (
    Plan,
    PlanContext,
    RunSpec,
    in_order,
    steps_an_epoch,
    training_clips,
)

FORWARD = 1 / 3
"""Time of a forward pass, about a third of a training step's."""
StepTime = Callable[[TrainConfig], float]
"""Seconds of one training step of a whole batch."""


@dataclass(frozen=True)
class RunCost:
    """Clips, steps and time of one run."""

    run: RunSpec
    fakes: int
    reals: int
    steps: int
    seconds: float
    """Time of one process, validation included."""


def measured_step_s(config: TrainConfig) -> float:
    """One timed step of `config`'s network on this machine, in the faster precision."""
    import torch

    from dfmnist.detectors.precision import choose_precision

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as runs are made: a process each
    try:
        timed = min(config.batch_size, 16)
        chosen, seconds = choose_precision(config.network, config.network_options, timed, device)
    finally:
        torch.set_num_threads(threads)
    precision = config.precision if config.precision != "auto" else chosen
    return seconds[precision] * config.batch_size / timed


def measured(runs: Sequence[RunSpec], step_s: StepTime = measured_step_s) -> dict[RunSpec, float]:
    """Seconds of a step of each run; equal networks, sizes and batches are timed once."""
    known: dict[tuple[object, ...], float] = {}
    result = {}
    with progress_bar() as bar:
        task = bar.add_task("time a step of each network", total=len(runs))
        for run in runs:
            c = run.config
            key = (c.network, c.input_size_px, c.batch_size, c.precision, c.last_stride)
            if key not in known:
                known[key] = step_s(c)
            result[run] = known[key]
            bar.advance(task)
    return result


def estimate(run: RunSpec, context: PlanContext, step_s: float) -> RunCost:
    """Steps and time of one run."""
    config, counts = run.config, context.counts(run.dataset)
    fakes, reals = training_clips(config, counts)
    steps = config.epochs * steps_an_epoch(config, counts)
    frames = counts.validation * min(config.frames_per_clip, counts.frames) * len(config.qualities)
    looked = config.epochs * (frames + config.precise_bn_frames)
    seconds = step_s * (steps * config.accumulate + FORWARD * looked / config.batch_size)
    return RunCost(run, fakes, reals, steps, seconds)


@dataclass(frozen=True)
class ExperimentCost:
    """Size of one experiment."""

    name: str
    title: str
    cells: int
    """Number of its cells."""
    cells_with_runs: int
    """Number of its cells that some run gives; the others are in `not_run`."""
    runs: int
    """Number of its runs, shared ones included."""
    not_run: tuple[str, ...]
    """Reasons why cells are left out, each once."""


@dataclass(frozen=True)
class PlanCost:
    """What all chosen experiments take together; runs that they share count once."""

    experiments: tuple[ExperimentCost, ...]
    runs: tuple[RunCost, ...]
    """The distinct runs, each after the run that it starts from."""
    scorings: int
    """Number of scorings of a split by a run."""
    steps: int
    """Number of training steps of all runs."""
    side_by_side: int
    """Number of runs at a time."""
    seconds: float
    """Time of all runs and scorings, `side_by_side` at a time."""


def cost_of(
    planned: Mapping[Experiment, Plan],
    context: PlanContext,
    step_s: StepTime = measured_step_s,
) -> PlanCost:
    """What the plans take, from one timed step of each network and size."""
    plans = list(planned.values())
    experiments = tuple(
        ExperimentCost(
            experiment.name,
            experiment.title,
            len(plan.cells),
            sum(bool(cell.scores) for cell in plan.cells),
            len(plan.runs),
            tuple(dict.fromkeys(cell.missing for cell in plan.cells if cell.missing)),
        )
        for experiment, plan in planned.items()
    )
    runs = in_order([run for plan in plans for run in plan.runs])
    times = measured(runs, step_s) if runs else {}
    sizes = tuple(estimate(run, context, times[run]) for run in runs)
    scored = {s for plan in plans for s in plan.scores}
    tests = sum(
        FORWARD * times[s.run] * context.counts(s.dataset).test
        * min(s.run.config.frames_per_clip, context.counts(s.dataset).frames)
        / s.run.config.batch_size
        for s in scored
        if isinstance(s.run, RunSpec)
    )  # fmt: skip
    side_by_side = gpu_count() or current_engine().workers or cpu_count()
    seconds = (sum(s.seconds for s in sizes) + tests) / side_by_side
    steps = sum(s.steps for s in sizes)
    return PlanCost(experiments, sizes, len(scored), steps, side_by_side, seconds)


def describe(cost: PlanCost) -> str:
    """The cost in words: each experiment, each distinct run, the time of all."""
    lines = ["experiments:"]
    for one in cost.experiments:
        counted = f"{one.cells_with_runs} of {one.cells} cells, {one.runs} runs" if one.cells else (
            f"{one.runs} run" if one.runs else "nothing to train")  # fmt: skip
        lines.append(f"  {one.title} ({one.name}): {counted}")
        lines += [f"    not run: {why}" for why in one.not_run]
    if not cost.runs:
        return "\n".join(lines)
    runs = [size.run for size in cost.runs]
    lines.append(f"distinct runs: {len(runs)}, each trained once")
    lines += [f"  {_words(size, runs)}" for size in cost.runs]
    lines.append(
        f"{cost.steps:,} steps, {cost.scorings} scorings: about {_clock(cost.seconds)} with "
        f"{cost.side_by_side} side by side, from one timed step of each network and size on this "
        "machine"
    )
    return "\n".join(lines)


def _words(size: RunCost, runs: Sequence[RunSpec]) -> str:
    run, c = size.run, size.run.config
    part = "".join(
        f", {name} {getattr(c, name):g}"
        for name in ("corpus", "fakes", "reals")
        if getattr(c, name) != 1
    )
    part += f", {' '.join(c.actions)} only" if c.actions else ""
    part += f", seed {c.seed}" if c.seed else ""
    start = f", from run {runs.index(run.start) + 1}" if run.start else ""
    return (
        f"{runs.index(run) + 1:>3}. {MODEL_TITLES.get(c.network, c.network)} {c.input_size_px} px, "
        f"{c.quality}, {run.dataset}{part}{start}: {size.fakes} fake + {size.reals} real clips, "
        f"{c.epochs} epochs, {size.steps:,} steps, {_clock(size.seconds)}"
    )


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
