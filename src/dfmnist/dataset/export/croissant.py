"""`croissant.json`: the dataset in the Croissant format 1.1, with the Responsible-AI fields 1.0.

Specifications: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html and
https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from dfmnist.core.text import percent
from dfmnist.dataset.export.facts import LIMITS, MISUSES, USES, Facts
from dfmnist.dataset.export.terms import spdx_url
from dfmnist.dataset.rows import Row

CROISSANT = "croissant.json"
ASKED = ("url", "creator")
"""Settings of an export without which the file lacks a field that Croissant asks for."""
_CR = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject "
    "fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path recordSet "
    "references regex repeated replace samplingRate separator source subField transform"
)
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{name: f"cr:{name}" for name in _CR.split()},
}
"""JSON-LD context, as appendix 1 of the specification recommends it."""
_MIME = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".avi": "video/x-msvideo",
    ".mkv": "video/x-matroska", ".webm": "video/webm", ".mpg": "video/mpeg", ".mpeg": "video/mpeg",
}  # fmt: skip
DESCRIPTIONS = {
    "file_name": "Path of the clip below the folder of its split.",
    "clip_id": "Name that the qualities of one clip share.",
    "label": "real, or fake for a manipulated clip.",
    "action": "Action that is performed; talk for talking.",
    "quality": "Compression of the file, such as raw, c23 or c40.",
    "split": "train, validation or test.",
    "identities": "All people seen in the clip, swapped into it, or driving it.",
    "method": "How a fake was made, such as fomm or faceswap; empty for real clips.",
    "dataset": "Dataset that the clip comes from; empty for this one.",
    "generator": "Name of the animator and hash of its weights.",
    "source": "Person seen in the clip.",
    "driver": "Person whose motion is shown; empty for real clips.",
    "source_frame": "Frame of the source that was animated.",
    "take": "Number of the recording, among those of one person and action.",
    "seed": "Seed of the clip's camera noise.",
    "screening": "Answers of the liveness detectors that the clip had to pass.",
    "fps": "Frames a second, as a fraction.",
    "num_frames": "Number of frames.",
    "width": "Width in pixels.",
    "height": "Height in pixels.",
    "sha256": "SHA-256 of the file.",
    "licence": "Licence of the clip.",
    "consent": "What the people in the clip agreed to.",
    "origin": "built for clips made by dfmnist, imported for others.",
    "schema_version": "Version of the record's form.",
}
"""Meaning of each column of a published dataset."""


def croissant(
    facts: Facts, splits: Mapping[str, Sequence[Row]], metadata_sha256: Mapping[str, str]
) -> dict[str, Any]:
    """The content of `croissant.json`.

    `splits` are the published rows by split, and `metadata_sha256` the hashes of the splits'
    `metadata.jsonl`. The fields named in `ASKED` are left out where nobody stated them.
    """
    config = facts.config
    optional = {
        "url": config.url,
        "citeAs": config.citation,
        "creator": {"@type": "sc:Organization", "name": config.creator} if config.creator else "",
    }
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": facts.name,
        "description": facts.description,
        "license": [spdx_url(name) for name in facts.terms.spdx] or list(facts.terms.licences),
        "version": config.version,
        "datePublished": config.day,
        "keywords": ["deepfake", "face animation", "liveness", "video"],
        **{name: value for name, value in optional.items() if value},
        **_responsible(facts),
        "distribution": _distribution(splits, metadata_sha256),
        "recordSet": [_record_set(splits)],
    }


def _responsible(facts: Facts) -> dict[str, Any]:
    """The Responsible-AI fields."""
    synthetic, summary = facts.info.synthetic_actors, facts.summary
    built = any(clip.origin == "built" for clip in facts.clips)
    shares = [
        f"{percent(row['fake'] / max(1, row['real'] + row['fake']), 0)} fake in {split}"
        for split, row in summary.by_split.items()
    ]
    made = [
        "Clips are cropped to the face by one call for both classes.",
        "Camera noise is added to both classes, and one encoder setting compresses all clips.",
    ]
    return {
        "rai:dataCollection": facts.people,
        "rai:dataCollectionType": ["Software Collection" if synthetic else "Others"],
        "rai:dataCollectionRawData": (
            "Rendered films of synthetic actors." if synthetic else "Videos of people."
        ),
        "rai:dataPreprocessingProtocol": made if built else ["Files are published as found."],
        "rai:dataManipulationProtocol": facts.fakes,
        "rai:dataAnnotationProtocol": (
            "Labels follow from how a clip was made; nobody annotated clips by eye."
        ),
        "rai:dataUseCases": list(USES),
        "rai:dataLimitations": [*LIMITS, *(f"Not for this: {use}" for use in MISUSES)],
        "rai:dataBiases": [
            f"{summary.identities:,} people are shown; {', '.join(shares)}.",
            *facts.info.notes,
        ],
        "rai:dataSocialImpact": (
            "Detectors protect people against being imitated. The same clips show what fakes get "
            "past liveness detectors, so that fakes are marked as such."
        ),
        "rai:personalSensitiveInformation": (
            ["None: the faces are those of synthetic actors."]
            if synthetic
            else ["Faces, which identify people and show age, sex and skin colour."]
        ),
        "rai:dataReleaseMaintenancePlan": (
            f"Version {facts.config.version}. A change of clips or splits raises the first number."
        ),
    }


def _distribution(
    splits: Mapping[str, Sequence[Row]], metadata_sha256: Mapping[str, str]
) -> list[dict[str, Any]]:
    tables = [
        {
            "@type": "cr:FileObject",
            "@id": f"{split}-metadata",
            "name": f"{split}-metadata",
            "description": f"Records of the split {split}, one JSON object a line.",
            "contentUrl": f"{split}/metadata.jsonl",
            "encodingFormat": "application/jsonlines",
            "sha256": metadata_sha256[split],
        }
        for split in splits
    ]
    suffixes = sorted(
        {PurePosixPath(row["file_name"]).suffix for rows in splits.values() for row in rows}
    )
    return [
        *tables,
        {
            "@type": "cr:FileSet",
            "@id": "records",
            "name": "records",
            "description": "The records of all splits.",
            "encodingFormat": "application/jsonlines",
            "includes": [f"{split}/metadata.jsonl" for split in splits],
        },
        {
            "@type": "cr:FileSet",
            "@id": "clips-files",
            "name": "clips-files",
            "description": "The clips of all splits.",
            "encodingFormat": sorted({_MIME.get(s.lower(), "video/mp4") for s in suffixes}),
            "includes": [f"{split}/**/*{suffix}" for split in splits for suffix in suffixes],
        },
    ]


def _record_set(splits: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """The fields of all columns but those of objects, which mlcroissant 1.1.1 cannot read."""
    rows = [row for part in splits.values() for row in part]
    samples = {name: _sample([row[name] for row in rows]) for name in rows[0]}
    objects = [name for name, one in samples.items() if isinstance(one, dict)]
    said = f" Left out are the columns of objects: {', '.join(objects)}." if objects else ""
    return {
        "@type": "cr:RecordSet",
        "@id": "clips",
        "name": "clips",
        "description": f"One record for each file, of all splits.{said}",
        "key": [{"@id": "clips/split"}, {"@id": "clips/file_name"}],
        "field": [
            _field(name, position, one, isinstance(rows[0][name], list))
            for position, (name, one) in enumerate(samples.items())
            if name not in objects
        ],
    }


def _sample(values: Sequence[Any]) -> Any:
    """One value of a column, or one item where the values are lists; empty text if none."""
    value = next((v for v in values if v not in (None, [], "")), "")
    return value[0] if isinstance(value, list) else value


def _field(name: str, position: int, value: Any, several: bool) -> dict[str, Any]:
    plain = re.fullmatch(r"[A-Za-z0-9._-]+", name) is not None
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"clips/{name if plain else f'column-{position}'}",
        "name": name,
        "description": DESCRIPTIONS.get(name, "A further column of the dataset."),
        "dataType": _data_type(name, value),
        "source": {"fileSet": {"@id": "records"}, "extract": {"column": name}},
    }
    return field | ({"isArray": True, "arrayShape": "-1"} if several else {})


def _data_type(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return "sc:Boolean"
    if isinstance(value, int):
        return "sc:Integer"
    if isinstance(value, float):
        return "sc:Float"
    return ["sc:Text", "cr:Split"] if name == "split" else "sc:Text"
