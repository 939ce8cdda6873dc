"""Secrets from environment variables, put into requests and kept out of everything else."""

import os
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from dfmnist.core.errors import InputError
from dfmnist.liveness.detector_config import VARIABLE

HIDDEN = "***"
"""Text in place of a secret."""


class Secrets:
    """The values of environment variables that a service's settings name."""

    def __init__(self, variables: Iterable[str], place: str) -> None:
        """Read the `variables`. Raises `InputError`, which names `place` and the missing one."""
        self._values: dict[str, str] = {}
        for name in variables:
            value = os.environ.get(name, "")
            if not value:
                raise InputError.of(place, f"needs the variable {name}", "it in the environment")
            if not value.isprintable() or not value.isascii():
                raise InputError.of(place, f"the variable {name} holds odd characters", "ASCII")
            self._values[name] = value
        forms = {
            form
            for value in self._values.values()
            for form in (value, quote(value, safe=""), quote_plus(value), *value.split())
            if len(form) > 3 or form == value
        }
        self._forms = sorted(forms, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self._values)})"

    def fill(self, text: str) -> str:
        """The `text` with each `${NAME}` replaced by the variable's value."""
        return VARIABLE.sub(lambda found: self._values[found[1]], text)

    def hide(self, value: Any) -> Any:
        """The JSON `value` with every secret in its texts and names replaced by `***`."""
        if isinstance(value, str):
            for form in self._forms:
                value = value.replace(form, HIDDEN)
            return value
        if isinstance(value, Mapping):
            return {self.hide(key): self.hide(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.hide(item) for item in value]
        return value
