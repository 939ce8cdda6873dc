"""Photos: one reader, so that orientation, transparency and grey are handled in one place."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from dfmnist.core.arrays import RgbImage
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path

MAX_PIXELS = 1 << 27
"""Largest number of pixels in a photo: more than phones of 108 megapixels give."""
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def is_image(path: Path) -> bool:
    """True if the suffix of `path` is that of a photo."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def read_image(path: Path) -> RgbImage:
    """Read the photo `path` as RGB (h, w, 3) uint8, rotated as its EXIF orientation says.

    Transparent pixels become white. Raises `InputError`, also for more than `MAX_PIXELS`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError.of(path, "no such file", "a photo")
    try:
        with _opened(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError.of(
                    path, f"has {image.width}x{image.height} pixels", f"at most {MAX_PIXELS} pixels"
                )
            upright = ImageOps.exif_transpose(image)
            rgb = _on_white(upright)
            return np.array(rgb, dtype=np.uint8)
    except UnidentifiedImageError:
        raise InputError.of(path, "not a picture", "a JPEG or PNG photo") from None
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError.of(path, f"cannot be read ({error})", "a complete JPEG or PNG") from None


def _opened(path: Path) -> Image.Image:
    """Open a photo; the bound is ours, lower than the one that Pillow only warns of."""
    with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
        return Image.open(path)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # 16-bit grey: Pillow's own conversion clips at 255
        grey = np.asarray(image, dtype=np.uint16) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255, 255)), rgba).convert(
        "RGB"
    )


def write_image(path: Path, image_rgb_u8: RgbImage, comment: str = "") -> None:
    """Write RGB (h, w, 3) as PNG or JPEG (quality 92), by the suffix; completely or not at all.

    `comment` is the text `Comment` of a PNG.
    """
    about = PngInfo()
    if comment:
        about.add_itxt("Comment", comment)
    with atomic_path(Path(path)) as temporary:
        Image.fromarray(image_rgb_u8).save(temporary, quality=92, pnginfo=about)
