"""Render the brand images from the SVG files beside this one (see README.md there)."""
# ruff: noqa: INP001

import io
from pathlib import Path
import re
import subprocess

import cairosvg
from PIL import Image

HERE = Path(__file__).parent
BRAND = HERE.parents[1] / "custom_components" / "bitrix24_sip" / "brand"
HEIGHTS = {"": 256, "@2x": 512}
OVERSAMPLING = 4
OPACITIES = 32

type Pixel = tuple[int, int, int, int]


def colours(svg: str) -> list[tuple[int, ...]]:
    """Return the colours that a drawing uses, as red, green and blue."""
    return sorted(
        {tuple(bytes.fromhex(code)) for code in re.findall(r'"#([0-9a-f]{6})"', svg)}
    )


def render(svg: Path, height: int) -> Image.Image:
    """Return a drawing as pixels, trimmed.

    The shapes do not overlap, so each pixel is one of the drawing's colours with some
    opacity: few enough values for a palette, without fringes.
    """
    palette = colours(svg.read_text(encoding="utf-8"))
    png = cairosvg.svg2png(url=str(svg), output_height=height * OVERSAMPLING)
    large = Image.open(io.BytesIO(png)).convert("RGBA")
    width = round(large.width / OVERSAMPLING)
    image = large.resize((width, height), Image.Resampling.LANCZOS)

    def snap(pixel: Pixel) -> Pixel:
        *colour, alpha = pixel
        alpha = round(alpha / 255 * OPACITIES) * 255 // OPACITIES
        if not alpha:
            return (0, 0, 0, 0)
        red, green, blue = min(
            palette,
            key=lambda c: sum(abs(a - b) for a, b in zip(c, colour, strict=True)),
        )
        return (red, green, blue, alpha)

    image.putdata([snap(pixel) for pixel in image.get_flattened_data()])
    return image.crop(image.getbbox())


def main() -> None:
    """Write the eight images, interlaced and compressed without loss."""
    BRAND.mkdir(exist_ok=True)
    for svg in sorted(HERE.glob("*.svg")):
        for suffix, height in HEIGHTS.items():
            path = BRAND / f"{svg.stem}{suffix}.png"
            render(svg, height).save(path)
            subprocess.run(
                ["optipng", "-quiet", "-o5", "-i1", "-strip", "all", path], check=True
            )


main()
