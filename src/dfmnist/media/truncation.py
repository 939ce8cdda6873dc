"""Detection of truncated video files, for example after an interrupted download.

ISO base media (MP4, MOV), Matroska (MKV, WebM) and RIFF (AVI) state the lengths of their parts;
MPEG streams do not. Nothing is decoded.
"""

from pathlib import Path
from typing import BinaryIO

_BOXES = frozenset(
    b"ftyp moov mdat free skip wide styp moof mfra uuid "
    b"meta sidx ssix pdin pnot PICT emsg prft udta meco".split()
)
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def is_truncated(path: Path) -> bool:
    """True if the container states that it goes on beyond the end of the file.

    False for a container that states nothing, or that is not known.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _BOXES:
            return _boxes(file, size)
        if head[:4] == _EBML:
            return _matroska(file, size)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return _riff(file, size)
    return False


def _boxes(file: BinaryIO, size: int) -> bool:
    """True if an MP4 box ends beyond the file.

    Cameras and downloaders append bytes of their own; behind the boxes of a film, anything whose
    name is unknown is taken for such, and so are bytes too few for a box.
    """
    at, seen = 0, set[bytes]()

    def film() -> bool:
        return b"mdat" in seen and not seen.isdisjoint((b"moov", b"moof"))

    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        seen.add(name)
        if name not in _BOXES and film():
            return False
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:  # to the end of the file
            return False
        if length < 8:
            return True
        at += length
    if at < size:
        file.seek(at)
        # fragments may follow each other; the size of the next one begins with zeros
        return not film() or (b"moof" in seen and file.read(1) == b"\0")
    return at > size


def _riff(file: BinaryIO, size: int) -> bool:
    """True if a RIFF chunk ends beyond the file. There are several in files beyond a gigabyte."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        if head[:4] != b"RIFF":  # other data may follow the chunks
            return False
        length = int.from_bytes(head[4:8], "little")
        at += 8 + length + length % 2
    return at > size + 1  # the last odd chunk may lack its byte of padding


def _matroska(file: BinaryIO, size: int) -> bool:
    file.seek(len(_EBML))
    header = _ebml_size(file)
    if header is None:
        return False
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return file.tell() >= size
    segment = _ebml_size(file)  # a live recording has none
    return segment is not None and file.tell() + segment > size


def _ebml_size(file: BinaryIO) -> int | None:
    """Read a variable-length integer; the first set bit gives its size. None if it is unknown."""
    first = file.read(1)
    if not first or first == b"\0":
        return None
    count = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> count)]) + file.read(count - 1), "big")
    return None if value == (1 << 7 * count) - 1 else value
