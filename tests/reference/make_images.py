"""Makes tests/fixtures/images.json: what Pillow decodes and resizes, for the tests of src/data.

Run with Debian's python3-pil and python3-numpy: python3 tests/reference/make_images.py
"""

import base64
import io
import json
import os

import numpy as np
import PIL
from PIL import Image, ImageOps

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "images.json")

# (width, height) -> (width, height): up, down, one axis only, single pixels, odd sizes.
SIZES = [
    ((13, 9), (7, 5)),
    ((5, 4), (12, 9)),
    ((1, 1), (3, 2)),
    ((33, 7), (1, 1)),
    ((17, 6), (17, 3)),
    ((6, 17), (3, 17)),
    ((16, 16), (16, 16)),
    ((3, 31), (5, 7)),
]


def text(data):
    return base64.b64encode(data).decode()


def noise(random, width, height):
    """Black and white mostly, so that the filter overshoots and is clipped."""
    values = random.integers(0, 256, (height, width, 3))
    values = np.where(random.random((height, width, 3)) < 0.5, values, np.where(values < 128, 0, 255))
    return Image.fromarray(values.astype(np.uint8))


def smooth(width, height):
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 9 % 256, y * 11 % 256, (x + y) * 5 % 256], -1).astype(np.uint8))


def resize_case(random, source, target):
    image = noise(random, *source)
    resized = image.resize(target, Image.LANCZOS)
    return {"from": source, "to": target, "source": text(image.tobytes()), "resized": text(resized.tobytes())}


def decode_case(name, image, expected, **options):
    file = io.BytesIO()
    image.save(file, **options)
    decoded = expected(Image.open(io.BytesIO(file.getvalue())))
    size = {"width": decoded.width, "height": decoded.height}
    return {"name": name, **size, "file": text(file.getvalue()), "rgb": text(decoded.tobytes())}


def rgb(image):
    return image.convert("RGB")


def upright(image):
    return ImageOps.exif_transpose(image).convert("RGB")


def decode_cases():
    image = smooth(20, 13)
    yield decode_case("JPEG, chroma halved", image, rgb, format="jpeg", quality=90)
    yield decode_case("JPEG, grey", image.convert("L"), rgb, format="jpeg", quality=90)
    yield decode_case("JPEG, progressive", image, rgb, format="jpeg", quality=75, progressive=True)
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        name = f"JPEG, EXIF orientation {orientation}"
        yield decode_case(name, image, upright, format="jpeg", quality=95, subsampling=0, exif=exif)
    yield decode_case("PNG", image, rgb, format="png")
    yield decode_case("PNG, palette", image.convert("P"), rgb, format="png")
    yield decode_case("PNG, one bit", image.convert("1"), rgb, format="png")
    yield decode_case("WebP, lossless", image, rgb, format="webp", lossless=True)
    yield decode_case("TIFF, LZW", image, rgb, format="tiff", compression="tiff_lzw")
    yield decode_case("GIF", image.convert("P"), rgb, format="gif")


def main():
    random = np.random.default_rng(7)
    fixture = {
        "pillow": PIL.__version__,
        "resize": [resize_case(random, *sizes) for sizes in SIZES],
        "decode": list(decode_cases()),
    }
    with open(PATH, "w") as file:
        file.write(json.dumps(fixture, indent=2) + "\n")


main()
