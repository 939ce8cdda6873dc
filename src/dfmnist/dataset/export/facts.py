"""What is said of a published dataset, in its card and in croissant.json alike."""

from collections import Counter
from dataclasses import dataclass

from dfmnist.core.text import plural
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.export.config import ExportConfig
from dfmnist.dataset.export.terms import Terms
from dfmnist.dataset.info import DatasetInfo
from dfmnist.dataset.summary import Summary

REAL_SYNTHETIC = (
    "A `real` clip shows a synthetic actor (a rendered three-dimensional model) who performs; a "
    "`fake` clip is a still of the actor that is moved by another's motion. No real person's face "
    "is in the dataset."
)
REAL_PEOPLE = (
    "A `real` clip is footage as it was recorded; a `fake` clip shows a person in a way that was "
    "never recorded. What the people agreed to is stated in the column `consent`."
)
USES = (
    "Training, validating and testing detectors of manipulated faces.",
    "Testing detectors of presentation and injection attacks in remote identification.",
    "Studying what such detectors look at, and how compression changes their results.",
)
MISUSES = (
    "Imitating, defaming or harassing anyone, or passing a fake off as a recording.",
    "Attacking a service without the leave of whoever runs it.",
    "Recognising or profiling the people in the clips.",
    "Training generators to evade the detectors that are trained here.",
)
LIMITS = (
    "Results here say little about other generators, cameras and compressions.",
    "Whoever is missing among the people is not represented: report results by group where groups "
    "are known.",
)


@dataclass(frozen=True)
class Facts:
    """A published dataset as its card and croissant.json describe it."""

    config: ExportConfig
    info: DatasetInfo
    clips: tuple[Clip, ...]
    """The clips that are published."""
    summary: Summary
    terms: Terms
    signed: int
    """Number of clips with Content Credentials."""

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.config.name or self.info.name or "Facial-animation deepfakes"

    @property
    def fakes(self) -> str:
        """How the fakes were made, in words."""
        methods = Counter(clip.method or "unknown" for clip in self.clips if clip.label == "fake")
        if not methods:
            return "There are no fakes."
        listed = ", ".join(f"{name} ({n:,} files)" for name, n in sorted(methods.items()))
        return f"Methods of the fakes (column `method`): {listed}."

    @property
    def description(self) -> str:
        """The dataset in a few sentences."""
        s = self.summary
        counts = (
            f"{plural(s.clips, 'clip')} ({s.real:,} real, {s.fake:,} fake) of "
            f"{plural(s.identities, 'person', 'people')}, {s.hours * 60:.1f} minutes, "
            f"{plural(s.files, 'file')} in {plural(len(s.by_quality), 'quality', 'qualities')} "
            f"({', '.join(s.by_quality)})."
        )
        return " ".join(part for part in (self.config.description, counts, self.fakes) if part)

    @property
    def people(self) -> str:
        """Who is shown, in words."""
        return REAL_SYNTHETIC if self.info.synthetic_actors else REAL_PEOPLE

    @property
    def provenance(self) -> str:
        """How a single clip says what it is, in words."""
        built = sum(clip.origin == "built" for clip in self.clips)
        parts = []
        if built:
            parts.append(
                f"{plural(built, 'file')} made by dfmnist say in the container's comment field "
                "whether they are real or fake, and that fakes are AI-generated."
            )
        if built < len(self.clips):
            others = plural(len(self.clips) - built, "file is", "files are")
            parts.append(f"{others} published byte for byte as found, from the makers named in "
                         "the column `dataset` or above.")  # fmt: skip
        if self.signed:
            parts.append(
                f"{plural(self.signed, 'file carries', 'files carry')} signed Content Credentials "
                "(C2PA): `c2pa.Reader(FILE).json()` shows them."
            )
        return " ".join(parts)

    @property
    def splits(self) -> str:
        """How the splits were made, in words."""
        made = self.info.splits
        rules = {
            "identity": "by identity: nobody is in two of them"
            + ("." if made and made.drivers else ", but drivers may be."),
            "paper": "by clip: a person may be in several.",
            "official": "as the makers of the dataset published them.",
        }
        return f"The splits are made {rules[made.rule]}" if made else ""
