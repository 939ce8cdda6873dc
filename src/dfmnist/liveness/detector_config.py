"""The settings of a liveness detector under test: built in, a service, a program, a function.

`--detector` takes a built-in name, `command:PROGRAM`, `python:MODULE:FUNCTION`, or a TOML or JSON
file with the settings of one of the classes below, chosen by `kind`. A file of kind `command` or
`python` names code that is then run: use only files that you trust.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from dfmnist.core.actions import Action
from dfmnist.core.config import config_hash
from dfmnist.core.errors import InputError
from dfmnist.core.files import MAX_JSON_BYTES, read_json_object
from dfmnist.core.plugins import FUNCTION_PATTERN, SECRET_NAME, parse_plugin
from dfmnist.core.records import first_problem
from dfmnist.core.text import slug
from dfmnist.liveness.answer import AnswerRules, DetectorPart, Scalar
from dfmnist.liveness.thresholds import thresholds_id

BuiltInName = Literal["action", "universal", "minifasnet"]
BUILT_IN: tuple[BuiltInName, ...] = ("action", "universal", "minifasnet")
"""Names of the detectors that need no settings."""
CHOICES = (
    f"{', '.join(BUILT_IN)}, command:PROGRAM, python:MODULE:FUNCTION, or a .toml or .json file"
)
"""What `--detector` takes, in words."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
"""A detector's name in verdicts, tables and files."""
Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
Filled = Annotated[str, Field(max_length=4000)]
"""A text in which `${NAME}` stands for the value of the environment variable NAME."""
Seconds = Annotated[float, Field(gt=0, le=600)]
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A reference to an environment variable."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that are this machine."""


class BuiltInDetector(DetectorPart):
    """A detector of this package."""

    kind: Literal["built-in"] = "built-in"
    name: BuiltInName
    thresholds: Path | None = None
    """Thresholds of `action` and `universal`: a file of `dfmnist liveness fit`; none means the
    shipped ones."""


class MiniFasNetFiles(DetectorPart):
    """The detector `minifasnet` with weights in files of yours, in place of those of the cache."""

    kind: Literal["minifasnet"]
    name: Name = "minifasnet-files"
    v2: Path
    """The authors' file `2.7_80x80_MiniFASNetV2.pth`."""
    v1se: Path
    """The authors' file `4_0_0_80x80_MiniFASNetV1SE.pth`."""


class HttpDetector(DetectorPart):
    """A service that judges a clip over HTTP, which you run or are authorised to test."""

    kind: Literal["http"]
    name: Name
    authorisation: Annotated[str, Field(min_length=10, max_length=1000, pattern=r"\S.*\S")]
    """Your statement that you run this service or may test it, and by whose leave. It is kept with
    the results."""
    url: Annotated[str, Field(max_length=2000)]
    """Address of the service, without a query and without a password."""
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[Header, Filled] = Field(default_factory=dict)
    """Headers of each request. `${NAME}` stands for the environment variable NAME; a header that
    holds a secret must take it from there."""
    query: dict[str, Filled] = Field(default_factory=dict)
    """Parameters that are added to the address; `${NAME}` as in `headers`."""
    fields: dict[str, Scalar] = Field(default_factory=dict)
    """Other fields that are sent with the clip. In a text, `{action}` stands for the action."""
    send: Literal["file", "base64", "frames"] = "file"
    """How the clip is sent. `file`: as a file of a multipart form. `base64`: as a text in a JSON
    object. `frames`: as a list of JPEG pictures in base64 in a JSON object."""
    clip_field: Annotated[str, Field(min_length=1, max_length=200, pattern=r'^[^"\r\n]+$')] = "file"
    """Name of the field that holds the clip or the frames."""
    frames: Annotated[int, Field(ge=1, le=256)] = 8
    """Number of frames that are sent, evenly spaced over the clip."""
    action_names: dict[Action, str] = Field(default_factory=dict)
    """The service's own names of actions; an action without one keeps the name used here."""
    needs_action: bool = False
    """True for a service that judges a requested action; it is then not asked about talking."""
    answer: AnswerRules = AnswerRules()
    """Where the decision and the score stand in the JSON answer."""
    timeout_s: Seconds = 30.0
    """Longest time in seconds from a request to the end of its answer."""
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    """Number of further calls after a timeout, a broken connection, or HTTP status 408, 429 or
    5xx."""
    backoff_s: Seconds = 1.0
    """Wait before the first further call; it doubles each time, up to 60 s. A longer `Retry-After`
    of the service is followed up to 60 s."""
    calls_per_s: Annotated[float, Field(gt=0, le=1000)] = 2.0
    """Largest number of calls in a second."""
    budget: Annotated[int, Field(ge=1, le=10**9)] = 1000
    """Largest number of calls in all, further ones included, over all runs of the program."""

    @model_validator(mode="after")
    def _is_safe(self) -> "HttpDetector":
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url: expected http:// or https:// and a host")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("url: expected neither a password nor a query; use headers and query")
        if re.search(r"[\s\x00-\x1f\x7f]", self.url):
            raise ValueError("url: expected no spaces")
        for name, text in (*self.headers.items(), *self.query.items()):
            if SECRET_NAME.search(name) and not VARIABLE.search(text):
                raise ValueError(f"{name}: expected its secret from a variable, as in ${{MY_KEY}}")
        if self.variables and parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("url: secrets are sent over https alone, or to this machine")
        if self.clip_field in self.fields:
            raise ValueError(f"fields: '{self.clip_field}' is the clip's own field")
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the environment variables that hold secrets, each once."""
        texts = (*self.headers.values(), *self.query.values())
        return tuple(dict.fromkeys(name for text in texts for name in VARIABLE.findall(text)))

    @property
    def request_key(self) -> str:
        """Hash of all that decides what the service is asked; limits and rules leave it alone."""
        limits = {"answer", "timeout_s", "retries", "backoff_s", "calls_per_s", "budget"}
        asked = self.model_dump(mode="json", exclude=limits | {"authorisation", "needs_action"})
        return config_hash(asked)


class CommandDetector(DetectorPart):
    """A program that is given a clip's path and prints a JSON object."""

    kind: Literal["command"]
    name: Name
    command: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)]
    """The program and its arguments; no shell is used. `{clip}` stands for the clip's path, which
    is otherwise added as the last argument, and `{action}` for the action."""
    needs_action: bool = False
    """True for a program that judges a requested action; it is then not asked about talking."""
    answer: AnswerRules = AnswerRules(score="score")
    """Where the decision and the score stand in the JSON that is printed."""
    timeout_s: Seconds = 60.0
    """Time in seconds after which the program is ended."""


class PythonDetector(DetectorPart):
    """A Python function that is given frames (n, 256, 256, 3), a frame rate and an action."""

    kind: Literal["python"]
    name: Name
    function: Annotated[str, Field(pattern=f"^{FUNCTION_PATTERN}$")]
    """`module:function`; modules of the working directory are found too."""
    needs_action: bool = False
    """True for a function that judges a requested action; it is then not asked about talking."""
    answer: AnswerRules = AnswerRules(score="score")
    """Where the decision and the score stand in the mapping that the function returns."""


DetectorConfig = BuiltInDetector | MiniFasNetFiles | HttpDetector | CommandDetector | PythonDetector
_CONFIG: TypeAdapter[DetectorConfig] = TypeAdapter(
    Annotated[DetectorConfig, Field(discriminator="kind")]
)


def detector_key(config: DetectorConfig) -> str:
    """Hash of all settings that decide a verdict; a verdict under another key is not reused."""
    if isinstance(config, HttpDetector):
        return config_hash([config.request_key, config.answer.model_dump(mode="json")])
    if isinstance(config, BuiltInDetector) and config.name != "minifasnet":
        return config_hash([config.name, thresholds_id(config.thresholds)])
    return config_hash(config.model_dump(mode="json", exclude={"timeout_s"}))


def parse_detector(text: str) -> DetectorConfig:
    """The settings that a value of `--detector` stands for. Raises `InputError`."""
    kind, colon, _ = text.partition(":")
    if text in BUILT_IN:
        return _checked(f"--detector {text}", {"kind": "built-in", "name": text})
    if colon and kind in ("command", "python"):
        return _plugin(text)
    path = Path(text)
    if path.suffix.lower() not in (".toml", ".json"):
        raise InputError.of(f"--detector {text}", "is no known detector", CHOICES)
    return read_detector(path)


def _plugin(text: str) -> DetectorConfig:
    """A program or function by its name, with the rules that such a detector has by default."""
    given = f"--detector {text}"
    plugin = parse_plugin(text, given)
    if plugin.kind == "program":
        name, words = slug(plugin.program_name)[:40], plugin.words
        return _checked(given, {"kind": "command", "name": name, "command": words})
    name = slug(plugin.text.rpartition(":")[2])[:40]
    return _checked(given, {"kind": "python", "name": name, "function": plugin.text})


def read_detector(path: Path) -> DetectorConfig:
    """The settings in a TOML or JSON file. Raises `InputError`, which names the file and field."""
    if path.suffix.lower() == ".json":
        return _checked(path, read_json_object(path))
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise InputError.of(path, "is too large", "the settings of a detector")
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError.of(path, "no such file", "the settings of a detector") from None
    except OSError as error:
        raise InputError.of(path, f"cannot be read ({error.strerror})", "a TOML file") from None
    except (ValueError, RecursionError) as error:
        raise InputError.of(path, f"is not valid TOML ({error})", "a TOML file") from None
    return _checked(path, values)


def _checked(place: str | Path, values: dict[str, Any]) -> DetectorConfig:
    try:
        config = _CONFIG.validate_python(values)
    except ValidationError as error:
        kinds = "settings of a detector (docs/LIVENESS.md)"
        raise InputError.of(place, first_problem(error), kinds) from None
    if not isinstance(config, BuiltInDetector) and config.name in BUILT_IN:
        raise InputError.of(place, f"name '{config.name}' is built in", "a name of its own")
    return config
