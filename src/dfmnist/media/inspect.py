"""Facts about a video file besides its pictures: container, codec settings, structure, levels.

`protocol_facts` reads headers and packets only. `signal_facts` decodes.
"""

import hashlib
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from dfmnist.core.errors import InputError
from dfmnist.media.opening import DECODE, opened, repeats
from dfmnist.media.sample import evenly

Facts = dict[str, str | float]

_CONTAINERS = frozenset({"moov", "trak", "mdia", "minf", "stbl", "edts", "dinf", "udta"})
_SLICE_LETTER = "PBIPI"
"""Letters of the H.264 slice types 0 to 4 (table 7-6); SP and SI are read as P and I."""
_DETAIL_FRAMES = 8


def protocol_facts(path: Path) -> Facts:
    """Facts about codec, timing, structure and container of `path`: categories are text.

    Quantities are floats. The content of the comment field (the provenance tag) is left out; its
    length is not. Raises `InputError`.
    """
    path = Path(path)
    with opened(path) as video:
        container, stream = video.container, video.stream
        facts = _stream_facts(stream) | _metadata_facts(container, stream)
        coded = [packet for packet in container.demux(stream) if packet.size]
        if not coded:
            raise InputError.of(path, "holds no frames", "a video of one frame or more")
        first = bytes(coded[0])
        boxed = (stream.codec_context.extradata or b"")[:1] == b"\x01"
        letters = [_slice_letter(bytes(packet)) if boxed else "?" for packet in coded]
        facts |= {
            "num_frames": float(len(coded)),
            "key_frames": " ".join(str(i) for i, p in enumerate(coded) if p.is_keyframe),
            "frame_types": "".join(letters),
            "presentation_order": _digest(str([p.pts for p in coded]).encode()),
            "packet_durations": _digest(str([p.duration for p in coded]).encode()),
            "encoder_settings": _encoder_settings(first),
        }
    return facts | _box_facts(path)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _stream_facts(stream: VideoStream) -> Facts:
    context = stream.codec_context
    return {
        "width": float(context.width),
        "height": float(context.height),
        "fps": str(stream.average_rate),
        "time_base": str(stream.time_base),
        "start_time": float(stream.start_time or 0),
        "duration": float(stream.duration or 0),
        "codec": context.name,
        "codec_tag": str(stream.codec_tag),
        "profile": str(context.profile),
        "level": str(getattr(context, "level", "")),
        "pixel_format": str(context.pix_fmt),
        "colour": f"{context.colorspace} {context.color_primaries} {context.color_trc} "
        f"{context.color_range}",
        "reordering": str(context.has_b_frames),
        "sample_aspect_ratio": str(stream.sample_aspect_ratio),
        "codec_header": _digest(context.extradata or b""),
    }


def _metadata_facts(container: InputContainer, stream: VideoStream) -> Facts:
    fields = {f"container:{k}": v for k, v in container.metadata.items()}
    fields |= {f"stream:{k}": v for k, v in stream.metadata.items()}
    comment = fields.pop("container:comment", None)
    return {
        "streams": " ".join(s.type for s in container.streams),
        "metadata": " | ".join(f"{k}={v}" for k, v in sorted(fields.items())),
        "comment_bytes": -1.0 if comment is None else float(len(comment.encode())),
    }


def _slice_letter(data: bytes) -> str:
    """Type (I, P or B) of the first slice in length-prefixed H.264 NAL units."""
    at = 0
    while at + 5 < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4] & 31 in (1, 5):  # a slice; first_mb_in_slice and slice_type lead it
            bits = f"{int.from_bytes(data[at + 5 : at + 13].ljust(8, b'0'), 'big'):064b}"
            _, bits = _exp_golomb(bits)
            kind, _ = _exp_golomb(bits)
            return _SLICE_LETTER[kind % 5]
        at += 4 + length
    return "?"


def _exp_golomb(bits: str) -> tuple[int, str]:
    """Read an unsigned Exp-Golomb number; returns it and the bits after it."""
    zeros = bits.index("1")
    end = 2 * zeros + 1
    return int(bits[zeros:end], 2) - 1, bits[end:]


def _encoder_settings(first_packet: bytes) -> str:
    """Text that libx264 leaves in the first packet: its version and every option."""
    found = re.search(rb"x264 - core[^\x00\x80]*", first_packet)
    return found.group().decode("ascii", "replace") if found else ""


def _box_facts(path: Path) -> Facts:
    """Names of all MP4 boxes in order, and the sizes of those that hold free text."""
    names: list[str] = []
    sizes: dict[str, float] = {"ftyp": 0.0, "udta": 0.0, "free": 0.0}
    with path.open("rb") as file:
        todo = [(0, path.stat().st_size, "")]
        while todo:
            at, end, inside = todo.pop()
            while at + 8 <= end:
                file.seek(at)
                head = file.read(16)
                length, name = int.from_bytes(head[:4], "big"), head[4:8].decode("latin-1")
                header = 16 if length == 1 else 8
                if length == 1:
                    length = int.from_bytes(head[8:16], "big")
                length = end - at if length == 0 else length
                if length < header or not name.isprintable():
                    return {"boxes": "not MP4"}
                names.append(inside + name)
                if name in sizes:
                    sizes[name] += length
                if name in _CONTAINERS:
                    todo.append((at + header, at + length, f"{inside}{name}/"))
                at += length
    return {"boxes": " ".join(names)} | {f"{name}_bytes": size for name, size in sizes.items()}


def signal_facts(path: Path) -> dict[str, float]:
    """Simple measures of the coded and decoded signal of `path`. Raises `InputError`.

    They are packet sizes (bytes per pixel, spread, ratio of key to other frames), the quantiser
    that the decoder reports, noise, sharpness, brightness, contrast, colour, and motion between
    frames.
    """
    path = Path(path)
    sizes, keys, quantisers, planes, colours = [], [], [], [], []
    with opened(path) as video:
        container, stream = video.container, video.stream
        stream.codec_context.options = {**DECODE, "export_side_data": "venc_params"}
        pixels = stream.codec_context.width * stream.codec_context.height
        for packet in container.demux(stream):
            if repeats(packet):
                continue
            if packet.size:
                sizes.append(packet.size)
                keys.append(packet.is_keyframe)
            for frame in packet.decode():
                quantisers.append(_quantiser(frame))
                planes.append(_plane(frame, 0))
                colours.append(_saturation(frame))
    if not planes:
        raise InputError.of(path, "holds no frames", "a video of one frame or more")
    size, key = np.array(sizes, dtype=np.float64), np.array(keys)
    inter = size[~key].mean() if (~key).any() else size.mean()
    detail = [planes[i].astype(np.float32) for i in evenly(len(planes), _DETAIL_FRAMES)]
    noise, sharpness = np.mean([_noise_and_sharpness(luma) for luma in detail], axis=0)
    motion = _motion(planes)
    return {
        "bytes_per_pixel": float(size.mean() / pixels),
        "packet_spread": float(size.std() / size.mean()),
        "key_to_inter": float(size[key].mean() / inter),
        "quantiser_mean": float(np.mean(quantisers)),
        "quantiser_spread": float(np.std(quantisers)),
        "noise": float(noise),
        "sharpness": float(sharpness),
        "luma_mean": float(np.mean([luma.mean() for luma in detail])),
        "luma_contrast": float(np.mean([luma.std() for luma in detail])),
        "saturation": float(np.mean(colours)),
        "motion_mean": float(motion.mean()) if motion.size else 0.0,
        "motion_spread": float(motion.std()) if motion.size else 0.0,
    }


def _quantiser(frame: VideoFrame) -> float:
    """Mean quantiser of the frame's blocks (AVVideoEncParams); 0 if none is reported."""
    side = cast(Mapping[SideDataType, Buffer], frame.side_data)
    data = side.get(SideDataType.VIDEO_ENC_PARAMS)
    if data is None:
        return 0.0
    raw = bytes(data)
    count = int.from_bytes(raw[:4], "little")
    offset, step = (int.from_bytes(raw[i : i + 8], "little") for i in (8, 16))
    base = int.from_bytes(raw[28:32], "little", signed=True)
    if not count:
        return float(base)
    blocks = np.frombuffer(raw, np.uint8, count * step, offset).reshape(count, step)
    deltas = np.ascontiguousarray(blocks[:, 16:20]).view("<i4")
    return base + float(deltas.mean())


def _plane(frame: VideoFrame, index: int) -> NDArray[np.uint8]:
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return np.array(rows[: plane.height, : plane.width])


def _saturation(frame: VideoFrame) -> float:
    if len(frame.planes) < 3:
        return 0.0
    blue, red = (_plane(frame, i)[::4, ::4].astype(np.float32) - 128 for i in (1, 2))
    return float(np.hypot(blue, red).mean())


def _noise_and_sharpness(luma: NDArray[np.float32]) -> tuple[float, float]:
    """Noise in levels, and sharpness as the mean square of the Laplacian.

    Noise is the mean response to the mask [1 -2 1]ᵀ[1 -2 1] (Immerkær 1996) over the flattest
    three quarters of the pixels; 0.5148 is that mean for normal noise of deviation 1.
    """
    down = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    mask = np.abs(down[:, :-2] - 2 * down[:, 1:-1] + down[:, 2:]).ravel()
    flat = np.partition(mask, mask.size * 3 // 4)[: mask.size * 3 // 4]
    across = luma[1:-1, :-2] - 2 * luma[1:-1, 1:-1] + luma[1:-1, 2:]
    laplacian = across + down[:, 1:-1]
    return float(flat.mean() / 0.5148 / 6), float(np.square(laplacian).mean())


def _motion(planes: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Mean absolute difference of neighbouring frames, at half resolution."""
    small = [plane[::2, ::2].astype(np.int16) for plane in planes]
    return np.array([np.abs(b - a).mean() for a, b in pairwise(small)])
