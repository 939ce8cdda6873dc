"""What every experiment has: its name, its title, its plan, and how its result is drawn."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfmnist.core.actions import INFO
from dfmnist.core.files import write_text
from dfmnist.dataset.manifest import Clip, Manifest, manifest_hash
from dfmnist.experiments.charts import accuracy_chart
from dfmnist.experiments.departures import sentences
from dfmnist.experiments.execute import Executed
from dfmnist.experiments.measure import measure
from dfmnist.experiments.paper import MODEL_TITLES
from dfmnist.experiments.plan import Plan, PlanContext
from dfmnist.experiments.render import markdown, write_table
from dfmnist.experiments.results import (
    RESULT,
    Heading,
    ResultCell,
    ResultPicture,
    ResultTable,
    ResultTile,
)
from dfmnist.experiments.theme import Chart

_TITLES = {
    **MODEL_TITLES,
    "c23": "light (c23)",
    "c40": "heavy (c40)",
    "DeepFake MNIST+": "this dataset",
    "on DeepFake MNIST+": "on this dataset",
}


@dataclass(frozen=True)
class Made:
    """Everything that an experiment's result is drawn from."""

    experiment: "Experiment"
    plan: Plan
    context: PlanContext
    manifests: Mapping[str, Manifest]
    """The dataset under test and the others by name, without joined ones."""
    executed: Executed = field(default_factory=Executed)

    @property
    def main(self) -> Manifest:
        """The dataset under test."""
        return self.manifests[self.context.main.name]

    def table(self, **values: Any) -> ResultTable:
        """The experiment's result with `values` for its fields; the shared ones are filled in."""
        return ResultTable(
            name=self.experiment.name,
            title=self.experiment.title,
            stamp=self.context.recipe.stamp if self.plan.runs else "",
            dataset=self.context.main.name,
            manifest_hash=manifest_hash(self.main.root),
            recipe=self.context.recipe.name,
            **values,
        )

    def not_run(self, reason: str) -> ResultTable:
        """The result of a figure that could not be made; `reason` says why, and how to make it."""
        return self.table(sentences=(f"Not run: {reason}.",))


@dataclass(frozen=True)
class Experiment:
    """One table or figure."""

    name: str
    title: str
    plan: Callable[[PlanContext], Plan]
    """Make the plan: the runs and cells that the experiment needs."""
    draw: Callable[[Made, Path], ResultTable]
    """Draw the pictures into a folder and return the result, once the runs are made."""


def trains_nothing(context: PlanContext) -> Plan:
    """The plan of a figure that shows the dataset alone."""
    return Plan()


def headings(keys: Iterable[str]) -> tuple[Heading, ...]:
    """Headings of rows or columns from their keys, each once, with names for people."""
    return tuple(
        Heading(key=key, title=" → ".join(_TITLES.get(part, part) for part in key.split("->")))
        for key in dict.fromkeys(keys)
    )


def picture_of(chart: Chart) -> ResultPicture:
    """The record of a chart that was drawn with its PNG."""
    assert chart.png is not None
    return ResultPicture(
        file=chart.png.name, light=chart.light.name, dark=chart.dark.name, alt=chart.alt
    )


def draw_accuracies(
    made: Made,
    folder: Path,
    chart: Callable[[Path, ResultTable], Chart] = accuracy_chart,
    say: Callable[[Sequence[ResultCell]], Sequence[str]] = lambda cells: (),
) -> ResultTable:
    """The result of a plan of cells: accuracies drawn by `chart`, and what differs.

    `say` gives the sentences that this experiment alone has.
    """
    cells = measure(made.plan, made.executed, made.context.recipe.stamp)
    table = made.table(
        rows=headings(c.row for c in cells), columns=headings(c.column for c in cells), cells=cells
    )
    told = sentences(table, made.context, made.main, say(cells))
    picture = picture_of(chart(folder, table))
    return table.model_copy(update={"sentences": tuple(told), "picture": picture})


def gallery(
    made: Made,
    clips: Sequence[Clip],
    picture: Path,
    tiles: Sequence[ResultTile],
    said: Sequence[str],
    **more: Any,
) -> ResultTable:
    """The result of a figure of `clips`: one picture, its tiles, what is said, `more` fields."""
    title = made.experiment.title
    alt = f"{title}: " + ", ".join(dict.fromkeys(map(shown_as, clips)))
    differs = (
        "Differs from the paper: these are this dataset's people and clips, the first of each "
        "by name, of the test split where it has one."
    )
    return made.table(
        tiles=tiles,
        picture=ResultPicture(file=picture.name, alt=alt),
        sentences=[differs, *(sentence for sentence in said if sentence)],
        **more,
    )


def shown_as(clip: Clip) -> str:
    """What a picture of a clip is called: its action, else its method, else its label."""
    return INFO[clip.action].title if clip.action is not None else clip.method or clip.label


def tile(clip: Clip, path: Path, title: str, alt: str, **more: str) -> ResultTile:
    """The record of one picture of a clip; `more` are its group, detail and note."""
    return ResultTile(
        file=path.name, title=title, alt=alt, clip_id=clip.clip_id, label=clip.label,
        action=clip.action_name, quality=clip.quality, source_id=clip.source,
        driver_id=clip.driver, **more,
    )  # fmt: skip


def write_all(made: Sequence[Made], out: Path) -> Path:
    """Draw and write every result into `out/NAME`; returns one page of Markdown with all.

    A folder's `result.json` is written last, so where it exists everything beside it is whole.
    """
    parts = []
    for one in made:
        name = one.experiment.name
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULT).unlink(missing_ok=True)
        table = write_table(folder, one.experiment.draw(one, folder))
        parts.append(markdown(table, f"{name}/"))
    index = out / "experiments.md"
    write_text(index, "\n".join(parts))
    return index
