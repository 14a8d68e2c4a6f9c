"""The brand images: those that Home Assistant asks for, and as its brands want them."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .project import Finding, Project

# As homeassistant.components.brands serves them from an integration's own folder.
NAMES = [
    f"{theme}{kind}{density}.png"
    for theme in ("", "dark_")
    for kind in ("icon", "logo")
    for density in ("", "@2x")
]
_MAX_BYTES = 100_000


def check(project: Project) -> Iterator[Finding]:
    """Check that all images are there, and each one of them."""
    folder = project.integration / "brand"
    there = {path.name for path in folder.glob("*")}
    for name in sorted(set(NAMES) - there):
        yield Finding(
            project.name(folder / name), "the image is missing", "see docs/brand"
        )
    for name in sorted(there - set(NAMES)):
        yield Finding(
            project.name(folder / name),
            "Home Assistant asks for no such image",
            f"delete it; it asks for {', '.join(NAMES)}",
        )
    for name in sorted(there & set(NAMES)):
        yield from _image(project, folder / name)


def _image(project: Project, path: Path) -> Iterator[Finding]:
    name = project.name(path)
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            interlaced = bool(image.info.get("interlace"))
            pixels = image.convert("RGBA")
    except OSError, UnidentifiedImageError, SyntaxError:
        yield Finding(name, "not a PNG image", "render it again, see docs/brand")
        return
    width, height = pixels.size
    double = 2 if "@2x" in name else 1
    largest = 256 * double
    if "icon" in path.name and (width, height) != (largest, largest):
        yield Finding(name, f"{width}×{height} pixels", f"make it {largest}×{largest}")
    if "logo" in path.name:
        if not largest // 2 <= min(width, height) <= largest:
            yield Finding(
                name,
                f"the shorter side has {min(width, height)} pixels",
                f"make it {largest // 2} to {largest}",
            )
        if width < height:
            yield Finding(name, "upright", "make it wider than high")
    alpha = pixels.getchannel("A")
    if alpha.getextrema()[0] == 255:
        yield Finding(name, "no transparent pixel", "take the background away")
    elif alpha.getbbox() != (0, 0, width, height):
        yield Finding(name, "an empty margin", "trim it")
    if not interlaced:
        yield Finding(name, "not interlaced", "save it interlaced (optipng -i1)")
    if path.stat().st_size > _MAX_BYTES:
        yield Finding(
            name, f"{path.stat().st_size} bytes", f"keep it under {_MAX_BYTES}"
        )
