"""Configs as JSON and their hashes: equal configs have equal names, and so one folder."""

import dataclasses
import hashlib
import json
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

from dfmnist.core.files import sha256_text


def plain(value: Any) -> Any:
    """`value` as JSON types: dataclasses become dicts; enums, paths and fractions strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path | Fraction):
        return str(value)
    if isinstance(value, dict):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [plain(v) for v in value]
        return sorted(items) if isinstance(value, set | frozenset) else items
    return value


def config_hash(config: Any, *more: str) -> str:
    """Hash of every field of `config` and of `more`: twelve hexadecimal digits."""
    text = json.dumps(plain(config), sort_keys=True, separators=(",", ":"))
    return sha256_text("\n".join([text, *more]))[:12]


def seed_of(*words: str) -> int:
    """Seed of 31 bits computed from words, equal in every process and on every machine."""
    digest = hashlib.sha256("\n".join(words).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
