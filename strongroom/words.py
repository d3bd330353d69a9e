"""Says states, sizes and moments as people read them."""

from datetime import datetime

from markupsafe import Markup

from strongroom.database import now


def spoken(word: str) -> str:
    """Return a word of a table as people read it."""
    return word.replace("_", " ").replace("-", " ").capitalize()


def size(number: int | None) -> str:
    """Return bytes as people read them."""
    if number is None:
        return "–"
    amount, units = float(number), ["bytes", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "bytes" or amount >= 10 else f"{amount:.1f} {units[0]}"


def age(moment: str | datetime | None) -> Markup:
    """Return how long ago a moment was, with the moment itself for machines."""
    at = _read(moment)
    if at is None:
        return Markup("–")
    minutes = max(int((now() - at).total_seconds() // 60), 0)
    days, hours = minutes // 1440, minutes // 60
    told = f"{days} d" if days > 1 else f"{hours} h" if hours > 0 else f"{minutes} min"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="minutes"), told)


def day(moment: str | datetime | None) -> Markup:
    """Return a moment in UTC as people read it."""
    at = _read(moment)
    if at is None:
        return Markup("–")
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="minutes"), at.strftime("%-d %b %Y, %H:%M UTC")
    )


def hours(number: float) -> str:
    """Return a span of time as people read it."""
    minutes = round(number * 60)
    return f"{number / 24:.1f} d" if number >= 48 else f"{number:.1f} h" if minutes >= 60 else f"{minutes} min"


def percent(share: float | None) -> str:
    """Return a share as people read it."""
    return "–" if share is None else f"{100 * share:.0f} %"


def _read(moment: str | datetime | None) -> datetime | None:
    if isinstance(moment, str):
        return datetime.fromisoformat(moment.replace("Z", "+00:00")) if moment else None
    return moment


FILTERS = {"spoken": spoken, "size": size, "age": age, "day": day, "hours": hours, "percent": percent}
