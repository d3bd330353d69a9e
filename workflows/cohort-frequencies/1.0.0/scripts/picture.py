"""Draws the frequency spectrum from its table."""

import csv
import sys

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 960, 540
LEFT, RIGHT, TOP, BOTTOM = 90, 30, 70, 90
INK, BAR, GRID, PAPER = (33, 37, 41), (44, 95, 138), (222, 226, 230), (255, 255, 255)
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def main(table: str, out: str) -> None:
    """Write the picture of `table`."""
    with open(table, newline="") as file:
        rows = [(row["minor_allele_frequency"], int(row["sites"])) for row in csv.DictReader(file, delimiter="\t")]
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    small, large = ImageFont.truetype(FONT, 16), ImageFont.truetype(FONT, 22)
    top = ceiling(max((count for _, count in rows), default=1))
    write(draw, (WIDTH / 2, 34), "Minor allele frequency spectrum", large)
    for step in range(5):
        value = top * step // 4
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * step / 4
        draw.line([(LEFT, y), (WIDTH - RIGHT, y)], fill=GRID)
        write(draw, (LEFT - 30, y), str(value), small)
    for text, low, high, count in placed(rows):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count / top
        draw.rectangle([low + 1, y, high - 1, HEIGHT - BOTTOM], fill=BAR)
        write(draw, ((low + high) / 2, y - 12), str(count), small)
        write(draw, (high, HEIGHT - BOTTOM + 18), text, small)
    write(draw, (LEFT, HEIGHT - BOTTOM + 18), "0", small)
    write(draw, ((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 30), "minor allele frequency; height: number of sites", small)
    image.save(out, format="PNG", optimize=True)


def write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, font: ImageFont.FreeTypeFont) -> None:
    """Write `text` round the middle of `place`."""
    draw.text(place, text, fill=INK, font=font, anchor="mm")


def placed(rows: list[tuple[str, int]]) -> list[tuple[str, float, float, int]]:
    """Return each bar's upper bound as text, its left and right edge, and its count."""
    across = WIDTH - LEFT - RIGHT
    bars = []
    for span, count in rows:
        low, high = (float(part) for part in span.split("-"))
        bars.append((f"{high:g}", LEFT + across * low / 0.5, LEFT + across * high / 0.5, count))
    return bars


def ceiling(value: int) -> int:
    """Return a round number above `value` that four divides."""
    step = 4
    while step * 10 < value:
        step *= 10
    return -(-value // step) * step


main(*sys.argv[1:])
