"""The decision and the score within the answer of a detector that others made.

A service, a program or a Python function answers with JSON values. `AnswerRules` say where the
decision and the score stand and which values mean live. Whatever does not fit the rules is an
`AnswerError`, never a decision.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
"""A single JSON value; true is no number here."""
Values = Annotated[tuple[Scalar, ...], Field(max_length=100)]
JsonPath = Annotated[str, Field(max_length=200)]
"""A dotted path into JSON: `result.faces.0.live`; a number is a place in a list."""
MAX_SHOWN = 40
"""Number of characters of a value that a reason shows."""


class AnswerError(ValueError):
    """An answer without a decision. The message says in one line what is wrong with it."""


class DetectorPart(BaseModel):
    """Base of a detector's settings: immutable, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Answer:
    """A decision and its score."""

    live: bool
    score: float
    """The score, higher for live."""


class AnswerRules(DetectorPart):
    """Rules by which the decision and the score of an answer are read."""

    live: JsonPath = "live"
    """Path to the decision. Empty: the decision follows from `score` and `threshold`."""
    live_values: Values = (True,)
    """Values of the decision that mean a live person."""
    attack_values: Values = ()
    """Values that mean an attack. They may be left out where `live_values` is true or false; any
    value that is in neither list leaves the clip not assessed."""
    score: JsonPath = ""
    """Path to the score. Empty: the score is 1 for live and 0 for an attack."""
    higher_is_live: bool = True
    """False for a score that is higher for attacks; then 1 less the score is kept."""
    threshold: float | None = None
    """Score from which a clip is live (up to which, if `higher_is_live` is false)."""

    @model_validator(mode="after")
    def _decides(self) -> "AnswerRules":
        if not self.live:
            if not self.score or self.threshold is None:
                raise ValueError("without a path `live`, both `score` and `threshold` are needed")
            return self
        if self.threshold is not None:
            raise ValueError("`threshold` beside `live`; one of them decides (`live` may be '')")
        if not self.live_values:
            raise ValueError("`live_values` is empty; a value that means live is needed")
        if any(_same(a, b) for a in self.live_values for b in self.attack_values):
            raise ValueError("a value stands in `live_values` and in `attack_values`")
        booleans = all(isinstance(value, bool) for value in self.live_values)
        if not self.attack_values and not (booleans and len(set(self.live_values)) == 1):
            raise ValueError("`attack_values` is needed, unless `live_values` is true or false")
        return self

    def read(self, answer: object) -> Answer:
        """The decision and score in `answer`, a JSON value. Raises `AnswerError`."""
        raw = None if not self.score else _number(answer, self.score)
        score = 0.0
        if raw is not None:
            score = raw if self.higher_is_live else 1 - raw
        if self.live:
            live = self._decision(answer)
        else:
            assert raw is not None
            assert self.threshold is not None
            live = raw >= self.threshold if self.higher_is_live else raw <= self.threshold
        return Answer(live, score if raw is not None else float(live))

    def _decision(self, answer: object) -> bool:
        value = _at(answer, self.live)
        if isinstance(value, Mapping | list | tuple) or value is None:
            raise AnswerError(f"'{self.live}' is {_kind(value)}; expected a single value")
        if any(_same(value, listed) for listed in self.live_values):
            return True
        if any(_same(value, listed) for listed in self.attack_values):
            return False
        if not self.attack_values and isinstance(value, bool):
            return False
        known = ", ".join(_shown(v) for v in (*self.live_values, *self.attack_values))
        raise AnswerError(f"'{self.live}' is {_shown(value)}; expected one of {known}")


def _at(answer: object, path: str) -> Any:
    """The value at a dotted `path`. Raises `AnswerError`."""
    value: Any = answer
    for part in path.split("."):
        try:
            if isinstance(value, Mapping):
                value = value[part]
            elif isinstance(value, Sequence) and not isinstance(value, str) and part.isdecimal():
                value = value[int(part)]
            else:
                raise KeyError(part)
        except (KeyError, IndexError, ValueError):
            raise AnswerError(f"the answer has no '{path}'") from None
    return value


def _number(answer: object, path: str) -> float:
    value = _at(answer, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AnswerError(f"'{path}' is {_kind(value)}; expected a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise AnswerError(f"'{path}' is not a finite number")
    return number


def _same(value: object, listed: object) -> bool:
    """Whether two single JSON values are equal; true is not 1."""
    return isinstance(value, bool) == isinstance(listed, bool) and value == listed


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return _shown(value)


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
