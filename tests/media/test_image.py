import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfmnist.core.errors import InputError
from dfmnist.media.image import is_image, read_image, write_image

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


def test_round_trip(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", PICTURE)
    assert np.array_equal(read_image(tmp_path / "a.png"), PICTURE)


def test_grey_and_deep_grey(tmp_path: Path) -> None:
    Image.fromarray(PICTURE[..., 0]).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), PICTURE[..., :1].repeat(3, 2))
    deep = PICTURE[..., 0].astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "b.png")
    assert np.array_equal(read_image(tmp_path / "b.png")[..., 1], PICTURE[..., 0])


def test_transparent_is_white(tmp_path: Path) -> None:
    alpha = np.full((4, 6, 1), 255, np.uint8)
    alpha[0] = 0
    Image.fromarray(np.concatenate([PICTURE, alpha], 2)).save(tmp_path / "a.png")
    got = read_image(tmp_path / "a.png")
    assert (got[0] == 255).all()
    assert np.array_equal(got[1:], PICTURE[1:])


def test_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to show
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(PICTURE, -1))


def test_bad_pictures(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("words")
    with pytest.raises(InputError, match=r"text\.png: not a picture"):
        read_image(tmp_path / "text.png")
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    write_image(tmp_path / "whole.jpg", noise)
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:3000])
    with pytest.raises(InputError, match=r"cut\.jpg"):
        read_image(tmp_path / "cut.jpg")
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "none.png")


def test_a_bomb_of_pixels_is_refused_before_it_is_read(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + crc

    head = struct.pack(">IIBBBBB", 13_000, 13_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png: has 13000x13000 pixels; expected at most"):
        read_image(tmp_path / "a.png")


def test_is_image() -> None:
    assert is_image(Path("x.JPG"))
    assert not is_image(Path("x.mp4"))
