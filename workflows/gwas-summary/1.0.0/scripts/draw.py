"""Draws the Manhattan or the quantile plot from its table, in few plain colours and with nothing else in the file."""

import csv
import math
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1200, 720
LEFT, RIGHT, TOP, BOTTOM = 110, 1150, 110, 610
PAPER, INK, MUTED, GRID = (255, 255, 255), (24, 34, 48), (96, 110, 126), (226, 231, 236)
FIRST, SECOND, ALERT = (38, 104, 152), (214, 128, 42), (176, 42, 60)
FONTS = "/usr/share/fonts/truetype/dejavu/DejaVuSans{}.ttf"
SHADES = 6  # between each colour of letters and the paper
GENOME_WIDE = -math.log10(5e-8)


@dataclass(frozen=True)
class Point:
    """One row of the table on the picture's own scales."""

    x: float
    y: float
    colour: "tuple[int, int, int]"


@dataclass(frozen=True)
class Plot:
    """What is to be drawn; `marks` are the places and words of the line below."""

    title: str
    below: str
    points: "list[Point]"
    marks: "list[tuple[float, str]]"
    width: float
    top: float


def main(table: str, out: str, picture: str) -> None:
    """Write the picture."""
    with open(table, newline="") as rows:
        read = [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(rows, delimiter="\t")]
    plot = manhattan(read) if picture == "manhattan" else quantiles(read)
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((LEFT, 38), plot.title, font=font(34, "-Bold"), fill=INK)
    draw_scales(draw, plot)
    if picture == "manhattan" and plot.top > GENOME_WIDE:
        draw.line((LEFT, up(GENOME_WIDE, plot), RIGHT, up(GENOME_WIDE, plot)), fill=ALERT, width=2)
    if picture == "quantiles":
        end = min(plot.width, plot.top)
        draw.line((LEFT, BOTTOM, across(end, plot), up(end, plot)), fill=ALERT, width=2)
    for point in plot.points:
        x, y = round(across(point.x, plot)), round(up(point.y, plot))
        draw.rectangle((x - 3, y - 3, x + 3, y + 3), fill=point.colour)
    few_colours(image).save(out, optimize=True)


def manhattan(rows: "list[dict[str, float]]") -> Plot:
    """Return windows along the genome, chromosomes in turn in two colours."""
    points, marks, start = [], [], 0.0
    for number, chrom in enumerate(sorted({row["chrom"] for row in rows})):
        own = [row for row in rows if row["chrom"] == chrom]
        first = min(row["megabase"] for row in own)
        length = max(row["megabase"] for row in own) - first + 1
        colour = SECOND if number % 2 else FIRST
        points += [Point(start + row["megabase"] - first + 0.5, row["minus_log10_p"], colour) for row in own]
        marks.append((start + length / 2, f"{chrom:.0f}"))
        start += length + 2
    top = highest(point.y for point in points)
    return Plot("Strongest association of each window", "chromosome", points, marks, max(start, 1.0), top)


def quantiles(rows: "list[dict[str, float]]") -> Plot:
    """Return what was found against what chance would give."""
    points = [Point(row["expected"], row["observed"], FIRST) for row in rows]
    width = highest(point.x for point in points)
    marks = [(float(at), str(at)) for at in range(math.floor(width) + 1)]
    return Plot(
        "Found against expected", "-log10(p) expected by chance", points, marks, width, highest(p.y for p in points)
    )


def highest(values: "object") -> float:
    """Return a round number above all values, for the end of a scale."""
    return float(math.ceil(max(values, default=1.0) * 1.1))


def draw_scales(draw: "ImageDraw.ImageDraw", plot: Plot) -> None:
    """Draw the lines across, both scales and their words."""
    step = max(1, math.ceil(plot.top / 8))
    for value in range(0, int(plot.top) + 1, step):
        draw.line((LEFT, up(value, plot), RIGHT, up(value, plot)), fill=GRID, width=1)
        draw.text((LEFT - 14, up(value, plot)), str(value), font=font(18), fill=MUTED, anchor="rm")
    draw.line((LEFT, BOTTOM, RIGHT, BOTTOM), fill=INK, width=2)
    for place, word in plot.marks:
        draw.text((across(place, plot), BOTTOM + 12), word, font=font(18), fill=MUTED, anchor="ma")
    draw.text(((LEFT + RIGHT) / 2, BOTTOM + 56), plot.below, font=font(18), fill=MUTED, anchor="ma")
    title = Image.new("RGB", (BOTTOM - TOP, 30), PAPER)
    ImageDraw.Draw(title).text((title.width / 2, 15), "-log10(p)", font=font(18), fill=MUTED, anchor="mm")
    draw._image.paste(title.rotate(90, expand=True), (26, TOP))


def across(value: float, plot: Plot) -> float:
    """Return where a value lies from left to right."""
    return LEFT + (RIGHT - LEFT) * value / plot.width


def up(value: float, plot: Plot) -> float:
    """Return where a value lies from below to above."""
    return BOTTOM - (BOTTOM - TOP) * value / plot.top


def font(size: int, style: str = "") -> "ImageFont.FreeTypeFont":
    """Return the image's own font, which looks alike on every machine."""
    return ImageFont.truetype(FONTS.format(style), size)


def few_colours(image: "Image.Image") -> "Image.Image":
    """Return the picture in our colours and their shades alone."""
    colours = [PAPER, GRID, FIRST, SECOND, ALERT]
    for colour in (INK, MUTED):
        colours += [tuple(part + (255 - part) * shade // SHADES for part in colour) for shade in range(SHADES)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for at in range(256) for part in colours[at % len(colours)]])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


main(snakemake.input[0], snakemake.output[0], snakemake.params.picture)  # noqa: F821 - Snakemake's own
