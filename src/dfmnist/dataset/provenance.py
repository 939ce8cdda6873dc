"""Provenance tag in a clip's container: what the clip is, equally long for real and fake."""

from dfmnist.core.errors import InputError

LENGTH = 256
"""Length of every tag in bytes, so that the length does not give the class away."""
_PAD = "."
_HEAD = "dfmnist "
NAME_BYTES = 60
"""Longest name in a tag, in bytes, so that three of them fit."""


def provenance(label: str, detail: str) -> str:
    """Compose the tag `dfmnist LABEL: DETAIL`, padded to `LENGTH` bytes of UTF-8.

    `detail` says in words what the clip is and what it was made from. Raises `InputError` if it
    does not fit.
    """
    text = f"{_HEAD}{label}: {' '.join(detail.split())} "
    room = LENGTH - len(text.encode("utf-8"))
    if room < 0:
        raise InputError.of("provenance tag", f"is {-room} bytes too long", f"at most {LENGTH}")
    return text + _PAD * room


def clipped(name: str) -> str:
    """`name` cut to `NAME_BYTES` bytes of UTF-8."""
    return name.encode("utf-8", "replace")[:NAME_BYTES].decode("utf-8", "ignore")


def moved_as(source: str, driver: str, action: str, generator: str) -> str:
    """The detail of a fake's tag: who was moved as whom, and by which motion model.

    `action` may be empty. Long names are cut; the hash at the end of `generator` is not.
    """
    name, _, digits = generator.rpartition("@")
    performed = f"{clipped(driver)} {action}".rstrip()
    return f"AI-generated: {clipped(source)} moved as {performed}, by {clipped(name)}@{digits}"


def read_provenance(comment: str) -> tuple[str, str] | None:
    """Label and detail in a container's comment; None if the comment is no provenance tag."""
    label, colon, detail = comment.removeprefix(_HEAD).partition(": ")
    if not comment.startswith(_HEAD) or not colon:
        return None
    return label, detail.rstrip(_PAD).rstrip()
