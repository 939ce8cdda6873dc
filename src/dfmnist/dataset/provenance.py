"""The tag that says in a clip's container what it is, equally long for real and fake."""

from dfmnist.core.errors import InputError

LENGTH = 256
"""Bytes of every tag: its length must not tell the class."""
_PAD = "."
_HEAD = "dfmnist "


def provenance(label: str, detail: str) -> str:
    """`dfmnist LABEL: DETAIL` padded to `LENGTH` bytes of UTF-8.

    `detail` says in words what the clip is and from what it was made. Raises `InputError` when
    it does not fit.
    """
    text = f"{_HEAD}{label}: {' '.join(detail.split())} "
    room = LENGTH - len(text.encode("utf-8"))
    if room < 0:
        raise InputError.of("provenance tag", f"is {-room} bytes too long", f"at most {LENGTH}")
    return text + _PAD * room


def read_provenance(comment: str) -> tuple[str, str] | None:
    """The label and detail of a container comment; None when it is not a tag of ours."""
    label, colon, detail = comment.removeprefix(_HEAD).partition(": ")
    if not comment.startswith(_HEAD) or not colon:
        return None
    return label, detail.rstrip(_PAD).rstrip()
