"""Draws the spectrum from its table, in few plain colours, with nothing in the file but the picture."""

import csv
import math
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1200, 720
LEFT, RIGHT, TOP, BOTTOM = 110, 1150, 150, 610
PAPER, INK, MUTED, GRID, BAR = (255, 255, 255), (24, 34, 48), (96, 110, 126), (226, 231, 236), (38, 104, 152)
FONTS = "/usr/share/fonts/truetype/dejavu/DejaVuSans{}.ttf"
# Between each colour and the paper, for smooth letters; the airlock's own copy keeps clearly different colours only.
SHADES = 6


@dataclass(frozen=True)
class Bar:
    """Sites of one bin; `density` is sites for each hundredth of frequency, so that wide bins do not look tall."""

    low: float
    high: float
    sites: int

    @property
    def density(self) -> float:
        return self.sites / (100 * (self.high - self.low))


def main(table: str, out: str, *, people: int, k: int) -> None:
    """Write the picture."""
    with open(table, newline="") as rows:
        bars = [
            Bar(float(row["frequency_from"]), float(row["frequency_to"]), int(row["sites"]))
            for row in csv.DictReader(rows, delimiter="\t")
        ]
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    sites = sum(bar.sites for bar in bars)
    draw.text((LEFT, 38), "Allele-frequency spectrum", font=font(34, "-Bold"), fill=INK)
    about = f"{people} people, {sites:,} sites with at least {k} alleles on both sides"
    draw.text((LEFT, 88), about, font=font(20), fill=MUTED)
    top = draw_heights(draw, max((bar.density for bar in bars), default=1.0))
    draw_bars(draw, bars, top)
    draw_frequencies(draw)
    few_colours(image).save(out, optimize=True)


def draw_heights(draw: "ImageDraw.ImageDraw", highest: float) -> float:
    """Draw the lines across and their numbers; return the value at the top."""
    step = nice(highest * 1.12 / 5)
    top = step * math.ceil(highest * 1.12 / step)
    for number in range(round(top / step) + 1):
        y = BOTTOM - (BOTTOM - TOP) * number * step / top
        if number:
            draw.line((LEFT, y, RIGHT, y), fill=GRID, width=1)
        draw.text((LEFT - 14, y), f"{number * step:g}", font=font(18), fill=MUTED, anchor="rm")
    title = Image.new("RGB", (BOTTOM - TOP, 30), PAPER)
    words = "sites for each 0.01 of frequency"
    ImageDraw.Draw(title).text((title.width / 2, 15), words, font=font(18), fill=MUTED, anchor="mm")
    draw._image.paste(title.rotate(90, expand=True), (26, TOP))
    return top


def draw_bars(draw: "ImageDraw.ImageDraw", bars: "list[Bar]", top: float) -> None:
    """Draw each bin as wide as it is, its number of sites above it."""
    for bar in bars:
        height = (BOTTOM - TOP) * bar.density / top
        left, right = across(bar.low) + 2, across(bar.high) - 2
        draw.rectangle((left, BOTTOM - height, right, BOTTOM), fill=BAR)
        place = ((left + right) / 2, BOTTOM - height - 8)
        draw.text(place, f"{bar.sites:,}", font=font(18), fill=INK, anchor="ms")


def draw_frequencies(draw: "ImageDraw.ImageDraw") -> None:
    """Draw the line below and its frequencies."""
    draw.line((LEFT, BOTTOM, RIGHT, BOTTOM), fill=INK, width=2)
    for number in range(6):
        x = across(number / 10)
        draw.line((x, BOTTOM, x, BOTTOM + 7), fill=INK, width=2)
        draw.text((x, BOTTOM + 14), f"{number / 10:.1f}", font=font(18), fill=MUTED, anchor="ma")
    words = "frequency of the rarer allele"
    draw.text(((LEFT + RIGHT) / 2, BOTTOM + 58), words, font=font(18), fill=MUTED, anchor="ma")


def across(frequency: float) -> float:
    """Return where a frequency from 0 to one half lies."""
    return LEFT + (RIGHT - LEFT) * frequency / 0.5


def nice(step: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, … that is no smaller, but no smaller than 1."""
    power = 10 ** math.floor(math.log10(max(step, 1)))
    return next(float(factor * power) for factor in (1, 2, 5, 10) if factor * power >= max(step, 1))


def font(size: int, style: str = "") -> "ImageFont.FreeTypeFont":
    """Return the image's own font, which looks alike on every machine."""
    return ImageFont.truetype(FONTS.format(style), size)


def few_colours(image: "Image.Image") -> "Image.Image":
    """Return the picture in our colours and their shades alone."""
    colours = [PAPER, GRID, BAR]
    for colour in (INK, MUTED):
        colours += [tuple(part + (255 - part) * shade // SHADES for part in colour) for shade in range(SHADES)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for at in range(256) for part in colours[at % len(colours)]])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


main(snakemake.input[0], snakemake.output[0], people=snakemake.params.people, k=snakemake.params.k)  # noqa: F821 - Snakemake's own
