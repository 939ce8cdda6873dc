"""Hostile and broken files, made by code: videos, photos, manifests, weights, and run folders.

Everything is drawn from seeded generators and written with the project's own writers.
"""

import io
import json
import os
import pickle
import socket
import struct
import tarfile
import wave
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dfmnist.fomm.checkpoint import METADATA_KEY

DEEP = 100_000
"""Levels of the nested JSON: far more than any parser follows."""
SCRIPT = "<script>alert(1)</script>"
"""Text that a page must show and not run."""
INJECTIONS = {
    "script": SCRIPT,
    "picture": "<img src=x onerror=alert(1)>",
    "spreadsheet": "=cmd()|'/c calc'!A1",
    "latex": r"\input{/etc/passwd} $\frac{1}$ $$ %s {} {0} {{7*7}} {% raw %}",
    "escapes": "\x1b[2J\x1b]0;title\x07 \u202etxt",
}
"""Text of a manifest that means something to a program behind the report."""


class Payload:
    """Unpickled, it writes the file `proof`."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return exec, (f"open({str(self.proof)!r}, 'w').close()",)


@dataclass(frozen=True)
class Footage:
    """A hostile video or photo that lies alone in its folder."""

    name: str
    """What it is, in words."""
    path: Path
    broken: bool
    """True if no command may take it without a word."""


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Noise of this shape, uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def encode(
    path: Path,
    frames: np.ndarray,
    ticks: list[int] | None = None,
    pix_fmt: str = "yuv420p",
    **options: str,
) -> Path:
    """Write frames (n, h, w, 3) as H.264 at 25 a second, or at these ticks of a 25th second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pix_fmt
        stream.codec_context.time_base = Fraction(1, 25)
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = (ticks or range(len(frames)))[number], Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def png(width: int, height: int, depth: int, colour: int, rows: Iterator[bytes]) -> bytes:
    """A PNG of these rows, each with its filter byte, written by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    packer = zlib.compressobj(9)
    data = b"".join([*map(packer.compress, rows), packer.flush()])
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def one_colour(side: int) -> bytes:
    """A small file of a grey PNG of `side` by `side` pixels."""
    return png(side, side, 8, 0, (bytes(1 + side) for _ in range(side)))


def flipped(content: bytes, seed: int, count: int = 40, start: int = 0) -> bytes:
    """`content` with `count` bits flipped from the byte `start` on."""
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    for at in rng.integers(start, len(data), count):
        data[at] ^= 1 << int(rng.integers(8))
    return bytes(data)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The content of the file that `image` is saved as."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _silence() -> bytes:
    """A WAV file of no sample."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
    return buffer.getvalue()


def _sound(path: Path) -> None:
    """An MP4 that holds sound only."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make_footage(root: Path, good: Path, proof: Path) -> list[Footage]:
    """Every hostile video and photo below `root`, each alone in its own folder.

    `good` is a video that nothing may read in place of another.
    """
    last = encode(root / "moov-last.mp4", noise(40, 48, 64, 3)).read_bytes()
    first = encode(root / "moov-first.mp4", noise(40, 48, 64, 3), movflags="faststart").read_bytes()
    (root / "moov-last.mp4").unlink()
    (root / "moov-first.mp4").unlink()
    whole = good.read_bytes()
    picture = Image.fromarray(noise(40, 48, 3))
    photo = saved(picture, "PNG")
    exif = Image.Exif()
    exif[0x010E] = "x" * 60_000
    deep = Image.fromarray(noise(40, 48).astype(np.uint16) * 257)
    pages = b"<!doctype html><html><body>quota exceeded</body></html>"
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{good}\n#EXT-X-ENDLIST\n"
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    found: list[Footage] = []

    def place(name: str, file: str, *, broken: bool) -> Path:
        path = root / f"footage-{len(found):02d}" / file
        path.parent.mkdir(parents=True)
        found.append(Footage(name, path, broken))
        return path

    for name, file, content in (
        ("empty video", "empty.mp4", b""),
        ("one byte", "byte.mp4", b"\0"),
        ("text", "text.mp4", b"not a video\n"),
        ("web page", "page.mp4", pages),
        ("pickle", "pickle.mp4", pickle.dumps(Payload(proof))),
        ("ffconcat list", "concat.mp4", f"ffconcat version 1.0\nfile '{good}'\n".encode()),
        ("HLS playlist", "hls.mp4", playlist.encode()),
        ("SDP session", "sdp.mp4", sdp.encode()),
        ("index last, cut at a half", "half.mp4", last[: len(last) // 2]),
        ("index last, 20 bytes missing", "nearly.mp4", last[:-20]),
        ("index first, cut at a third", "third.mp4", first[: len(first) // 3]),
        ("index first, 20 bytes missing", "almost.mp4", first[:-20]),
        ("header only", "header.mp4", last[:40]),
        ("sound of no sample", "silence.mp4", _silence()),
        ("empty photo", "empty.png", b""),
        ("text as photo", "text.jpg", b"not a photo\n"),
        ("photo cut at a half", "half.png", photo[: len(photo) // 2]),
        ("photo of 169 million pixels", "bomb.png", one_colour(13_000)),
        ("SVG as PNG", "drawing.png", svg),
        ("random bytes as JPEG", "random.jpg", b"\xff\xd8\xff\xe0" + bytes(noise(4000))),
    ):
        place(name, file, broken=True).write_bytes(content)
    for name, file, content in (
        ("bit rot in the index", "rot-index.mp4", flipped(first, 1, 30, 40)),
        ("bit rot in the pictures", "rot-pictures.mp4", flipped(last, 2, 60, 64)),
        ("bit rot at the end", "rot-end.mp4", flipped(last, 3, 20, len(last) - 600)),
        ("bit rot in a photo", "rot.png", flipped(photo, 4, 20, 60)),
        ("photo of 132 million pixels", "large.png", one_colour(11_500)),
        ("GIF as PNG", "gif.png", saved(picture, "GIF")),
        ("WebP as JPEG", "webp.jpg", saved(picture, "WEBP")),
        ("JPEG as video", "jpeg.mp4", saved(picture, "JPEG")),
        ("JPEG with 60 kB of EXIF", "exif.jpg", saved(picture, "JPEG", exif=exif)),
        ("16-bit PNG", "deep.png", saved(deep, "PNG")),
        ("palette PNG", "palette.png", saved(picture.convert("P"), "PNG", transparency=0)),
        ("photo of one pixel", "pixel.png", saved(picture.crop((0, 0, 1, 1)), "PNG")),
        ("name of 249 bytes", f"{'n' * 245}.mp4", whole),
        ("name with a line break", "a\nb.mp4", whole),
        ("name with quotes", "a'b\"c`d.mp4", whole),
        ("name with formats", "%s %d {0} {x!r} [red].mp4", whole),
        ("name with a leading dash", "-rf.mp4", whole),
        ("name that is no UTF-8", os.fsdecode(b"\xff\xfe\x80.mp4"), whole),
        ("name with a turned direction", "\u202e4pm.exe.mp4", whole),
        ("name with terminal codes", "\x1b[2J\x07.mp4", whole),
        ("name of a protocol", "http:x.mp4", whole),
    ):
        place(name, file, broken=False).write_bytes(content)
    _sound(place("sound only", "sound.mp4", broken=True))
    (place("folder named as a video", "folder.mp4", broken=True)).mkdir()
    os.mkfifo(place("pipe", "pipe.mp4", broken=True))
    place("link to nothing", "nowhere.mp4", broken=True).symlink_to("missing.mp4")
    place("link to itself", "loop.mp4", broken=True).symlink_to("loop.mp4")
    device = place("link to a device", "zero.mp4", broken=True)
    device.symlink_to("/dev/zero")
    _listen(place("socket", "socket.mp4", broken=True))
    encode(place("one frame in an hour", "hour.mp4", broken=True), noise(2, 48, 64, 3), [0, 90_000])
    encode(place("one frame", "one.mp4", broken=False), noise(1, 48, 64, 3))
    encode(place("2 by 2 pixels", "small.mp4", broken=False), noise(5, 2, 2, 3))
    encode(place("odd sizes", "odd.mp4", broken=False), noise(5, 37, 51, 3), pix_fmt="yuv444p")
    encode(place("4000 by 2 pixels", "strip.mp4", broken=False), noise(3, 2, 4000, 3))
    return found


def _listen(path: Path) -> None:
    """Leave a socket at `path`; its address is relative because an address is short."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as own:
            own.bind(path.name)
    finally:
        os.chdir(here)


Lines = list[dict[str, Any]]


def manifests(good: Lines) -> dict[str, bytes]:
    """The content of hostile manifests by what they are; `good` are the records of a dataset."""

    def with_first(**changes: Any) -> bytes:
        return as_lines([{**good[0], **changes}, *good[1:]])

    text = as_lines(good).decode()
    first, _ = text.split("\n", 1)
    half = [{k: v for k, v in good[0].items() if k != "licence"}, *good[1:]]
    return {
        "empty": b"",
        "blank lines": b"\n\n\n",
        "not JSON": b"not JSON\n",
        "web page": b"<!doctype html><html></html>\n",
        "a list": json.dumps(good).encode(),
        "a number": b"7\n",
        "a text": b'"clip"\n',
        "nested 100,000 deep": b"[" * DEEP + b"]" * DEEP + b"\n",
        "objects nested 100,000 deep": b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"\n",
        "a number of 5000 digits": first.replace('"seed": ', f'"seed": {"9" * 5000}', 1).encode()
        + b"\n",
        "1e30 frames": with_first(num_frames=1e30),
        "a score NaN": with_first(screening=[_screened(float("nan"))]),
        "a score Infinity": with_first(screening=[_screened(float("inf"))]),
        "fps 1e999999999": with_first(fps="1e999999999"),
        "fps 0/0": with_first(fps="0/0"),
        "fps with other digits": with_first(fps="٢٥"),
        "a line of 2 MB": with_first(consent="x" * (2 << 20)),
        "a file listed twice": as_lines([good[0], *good]),
        "a path that leaves the folder": with_first(file_name="../x.mp4"),
        "an absolute path": with_first(file_name="/etc/passwd"),
        "a path of Windows": with_first(file_name="C:\\x.mp4"),
        "a path with a zero byte": with_first(file_name="clips/a\0b.mp4"),
        "a path of 5000 characters": with_first(file_name="c" * 5000),
        "an unknown field": with_first(unknown=1),
        "a missing field": as_lines(half),
        "a wrong label": with_first(label="REAL"),
        "another schema": with_first(schema_version=99),
        "UTF-16": text.encode("utf-16"),
        "a byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "bytes that are no UTF-8": b"\xff\xfe" + text.encode(),
        "cut in a line": text.encode()[: len(first) + 40],
    }


def odd_manifests(good: Lines) -> dict[str, bytes]:
    """Manifests that a command may take: what matters is how it shows them."""
    made = {
        f"{name} in its texts": as_lines(
            [{**r, "licence": text, "consent": text, **_renamed(r, text)} for r in good]
        )
        for name, text in INJECTIONS.items()
    }
    split_of = {r["source"]: r["split"] for r in good}
    moved = next(person for person, split in split_of.items() if split == "test")
    made["a person in two splits"] = as_lines(
        [
            {**r, "split": "train"} if (r["source"], r["label"]) == (moved, "fake") else r
            for r in good
        ]
    )
    made["no fake clip"] = as_lines([r for r in good if r["label"] == "real"])
    made["CRLF"] = as_lines(good).replace(b"\n", b"\r\n")
    return made


def _renamed(record: dict[str, Any], text: str) -> dict[str, Any]:
    """The person of a record with `text` before the name."""
    person = f"{text}{record['source']}"
    return {"source": person, "identities": [person, *filter(None, [record["driver"]])]}


def as_lines(records: Lines) -> bytes:
    """Records as the content of a manifest."""
    return "".join(f"{json.dumps(record)}\n" for record in records).encode()


def _screened(score: float) -> dict[str, Any]:
    return {"detector": "universal", "live": True, "score": score, "reason": ""}


def make_weights(folder: Path, good: Path, proof: Path) -> dict[str, Path]:
    """Hostile weights files by what they are; `good` is a tiny motion model of ours."""
    folder.mkdir()
    content = good.read_bytes()
    tensors = load_file(good)
    made: dict[str, Path] = {}

    def place(name: str, file: str, data: bytes | None = None) -> Path:
        made[name] = folder / file
        if data is not None:
            made[name].write_bytes(data)
        return made[name]

    page = b"<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>"
    header = json.dumps({"__metadata__": {}}).encode()
    for suffix in ("safetensors", "pth.tar"):
        place(f"empty .{suffix}", f"empty.{suffix}", b"")
        place(f"text .{suffix}", f"text.{suffix}", b"no weights\n")
        place(f"web page .{suffix}", f"page.{suffix}", page)
        place(f"zip .{suffix}", f"zip.{suffix}", _zip({"notes.txt": b"no weights"}))
        place(f"tar .{suffix}", f"tar.{suffix}", _tar({"notes.txt": b"no weights"}))
        place(f"folder .{suffix}", f"folder.{suffix}").mkdir()
        place(f"pickle with code .{suffix}", f"code.{suffix}", pickle.dumps(Payload(proof)))
    place("broken zip", "broken.pth.tar", b"PK\3\4" + bytes(60) + b"PK\5\6" + b"\xff" * 18)
    for name, value in (
        ("torch file with code", {"generator": Payload(proof), "kp_detector": Payload(proof)}),
        ("torch file of other names", {"a": torch.zeros(3)}),
        ("torch file of a list", [torch.zeros(3)]),
        ("torch file of numbers", {"generator": {"x": 1}, "kp_detector": {1: torch.zeros(1)}}),
    ):
        torch.save(value, place(name, f"{name.replace(' ', '-')}.pth.tar"))
    place("header of 2^60 bytes", "long.safetensors", struct.pack("<Q", 1 << 60) + content[8:])
    nested = b'{"a":' * DEEP + b"1" + b"}" * DEEP
    place("nested header", "nested.safetensors", struct.pack("<Q", len(nested)) + nested)
    place("no tensors", "none.safetensors", struct.pack("<Q", len(header)) + header)
    place("cut at a half", "half.safetensors", content[: len(content) // 2])
    place("bit rot in the header", "rot.safetensors", flipped(content[:600], 5) + content[600:])
    key = next(iter(tensors))
    bad = {**tensors, key: torch.full_like(tensors[key], float("nan"))}
    about = _about(good)
    save_file(bad, place("NaN", "nan.safetensors"), metadata={METADATA_KEY: json.dumps(about)})
    return made


def make_configs(folder: Path, good: Path) -> dict[str, Path]:
    """Files of the tiny motion model `good` with a hostile record in their header."""
    folder.mkdir()
    tensors, about = load_file(good), _about(good)
    config = about["config"]
    records: dict[str, Any] = {
        "record not JSON": "no JSON",
        "record nested": '{"config":' * DEEP,
        "record a list": [],
        "record a number": 7,
        "record without config": {"provenance": {}},
        "record without provenance": {"config": config},
        "config a list": {**about, "config": [1]},
        "config null": {**about, "config": None},
        "unknown setting": {**about, "config": {**config, "other": 1}},
        "provenance a list": {**about, "provenance": [1]},
        "people a text": {**about, "provenance": {"identity_seeds": "abc"}},
        "people a number": {**about, "provenance": {"identity_seeds": 7}},
        "people objects": {**about, "provenance": {"identity_seeds": [{}]}},
    }
    for name, value in {
        "blocks a list": [2], "blocks null": None, "blocks a text": "2", "blocks negative": -1,
        "blocks 0": 0, "a million blocks": 10**6, "blocks 2.5": 2.5, "blocks true": True,
    }.items():  # fmt: skip
        records[name] = {**about, "config": {**config, "kp_blocks": value}}
    for name, changes in {
        "10^12 keypoints": {"num_kp": 10**12},
        "10^12 features": {"generator_expansion": 10**12, "generator_max_features": 10**12},
        "a picture of 10^6 px": {"image_size": 10**6},
        "a picture of 31 px": {"image_size": 31},
        "a million bottlenecks": {"generator_bottleneck_blocks": 10**6},
        "temperature NaN": {"temperature": float("nan")},
        "variance Infinity": {"kp_variance": float("inf")},
        "scale NaN": {"kp_scale": float("nan")},
        "scale tiny": {"motion_scale": 1e-300},
        "scale a text": {"kp_scale": "1/4"},
        "kernel even": {"final_kernel": 4},
        "padding negative": {"kp_padding": -5},
        "padding a text": {"kp_padding": "0"},
        "blend a number": {"blend": 7},
    }.items():
        records[name] = {**about, "config": {**config, **changes}}
    made = {}
    for name, record in records.items():
        made[name] = folder / f"{name.replace(' ', '-').replace('^', '')}.safetensors"
        written = record if isinstance(record, str) else json.dumps(record)
        save_file(tensors, made[name], metadata={METADATA_KEY: written})
    return made


def _about(good: Path) -> dict[str, Any]:
    content = good.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    about: dict[str, Any] = json.loads(
        json.loads(content[8 : 8 + length])["__metadata__"][METADATA_KEY]
    )
    return about


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


Change = Callable[[Path], None]


def run_changes(proof: Path) -> dict[str, tuple[Change, bool]]:
    """What is done to the folder of a finished run, by words; True if scoring must refuse it."""

    def write(file: str, content: bytes | str) -> Change:
        data = content.encode() if isinstance(content, str) else content

        def change(folder: Path) -> None:
            (folder / file).write_bytes(data)

        return change

    def edit(file: str, **changes: Any) -> Change:
        def change(folder: Path) -> None:
            record = json.loads((folder / file).read_text())
            (folder / file).write_text(json.dumps({**record, **changes}))

        return change

    def without(file: str) -> Change:
        return lambda folder: (folder / file).unlink()

    def calibrated(**changes: Any) -> Change:
        return edit("run.json", calibration={"temperature": 1.0, "threshold": 0.5, **changes})

    def weights(change: Callable[[torch.Tensor], torch.Tensor], *, known: bool) -> Change:
        def apply(folder: Path) -> None:
            path = folder / "weights.safetensors"
            tensors = load_file(path)
            key = next(k for k, v in tensors.items() if v.is_floating_point())
            save_file({**tensors, key: change(tensors[key])}, path)
            if known:
                edit("run.json", trained_weights_sha256=None)(folder)

        return apply

    def as_folder(file: str) -> Change:
        def change(folder: Path) -> None:
            (folder / file).unlink()
            (folder / file).mkdir()

        return change

    nan, deep = float("nan"), "[" * DEEP
    made: dict[str, tuple[Change, bool]] = {}
    for file in ("run.json", "config.json"):
        made |= {
            f"{file} a list": (write(file, "[]"), True),
            f"{file} text": (write(file, "no record"), True),
            f"{file} empty": (write(file, ""), True),
            f"{file} nested": (write(file, deep), True),
            f"{file} no UTF-8": (write(file, b"\xff\xfe"), True),
            f"{file} a pickle": (write(file, pickle.dumps(Payload(proof))), True),
            f"{file} a number of 5000 digits": (write(file, f'{{"seed": {"9" * 5000}}}'), True),
            f"{file} missing": (without(file), True),
            f"{file} a folder": (as_folder(file), True),
        }
    made |= {
        "temperature NaN": (calibrated(temperature=nan), True),
        "temperature 0": (calibrated(temperature=0), True),
        "temperature -1": (calibrated(temperature=-1), True),
        "temperature Infinity": (calibrated(temperature=float("inf")), True),
        "threshold 0": (calibrated(threshold=0), True),
        "threshold 1": (calibrated(threshold=1), True),
        "threshold 2": (calibrated(threshold=2), True),
        "threshold NaN": (calibrated(threshold=nan), True),
        "threshold a text": (calibrated(threshold="x"), True),
        "an unknown calibration": (calibrated(other=1), False),
        "calibration a list": (edit("run.json", calibration=[]), True),
        "calibration null": (edit("run.json", calibration=None), True),
        "frames of null px": (edit("run.json", frame_px=None), False),
        "frames of 10^9 px": (edit("run.json", frame_px=10**9), True),
        "steps a text": (edit("run.json", steps="many"), False),
        "steps null": (edit("run.json", steps=None), False),
        "steps 10^400": (edit("run.json", steps=10**400), False),
        "start a list": (edit("run.json", initialisation=["<b>"]), False),
        "an empty record": (write("run.json", "{}"), False),
        "10^12 epochs": (edit("config.json", epochs=10**12), True),
        "sides of 10^9 px": (edit("config.json", size_px=10**9), True),
        "sides a text": (edit("config.json", size_px="64"), True),
        "10^9 frames a clip": (edit("config.json", frames_per_clip=10**9), True),
        "another network": (edit("config.json", network="meso4"), True),
        "an unknown network": (edit("config.json", network="../x"), True),
        "an unknown setting": (edit("config.json", other=1), True),
        "weights missing": (without("weights.safetensors"), True),
        "weights a folder": (as_folder("weights.safetensors"), True),
        "weights empty": (write("weights.safetensors", b""), True),
        "weights swapped": (weights(lambda t: t + 1, known=False), True),
        "weights NaN": (weights(lambda t: t * nan, known=True), True),
        "weights a pickle": (
            write("weights.safetensors", pickle.dumps(Payload(proof))), True,
        ),
        "curve text": (write("metrics.csv", "no curve"), False),
        "curve of words": (
            write("metrics.csv", "epoch,train_loss,val_loss,val_accuracy,val_auc\n1,a,b,c,d\n"),
            False,
        ),
        "curve missing": (without("metrics.csv"), False),
        "curve empty": (write("metrics.csv", b""), False),
        "curve no UTF-8": (write("metrics.csv", b"\xff\xfe\0\0"), False),
    }  # fmt: skip
    return made
