"""Text -> the full dates in it, written in numbers, English, German, Spanish or French."""

from __future__ import annotations

import re
from datetime import date

MONTH_NAMES = (
    "jan january januar enero janvier",
    "feb february februar febrero février",
    "mar march märz marzo mars",
    "apr april abril avril",
    "may mai mayo",
    "jun june juni junio juin",
    "jul july juli julio juillet",
    "aug august agosto août",
    "sep sept september septiembre septembre",
    "oct october oktober octubre octobre",
    "nov november noviembre novembre",
    "dec december dezember diciembre décembre",
)
MONTHS = tuple(names[:3] for names in MONTH_NAMES)
NUMBERS = {name: number for number, names in enumerate(MONTH_NAMES, start=1) for name in names.split()}

MONTH = rf"(?P<month>{'|'.join(NUMBERS)})\b"
YEAR = r"(?<!\d)(?P<year>(?:18|19|20)\d\d)(?!\d)"
DAY = r"(?<!\d)(?P<day>[0-3]?\d)"
# Numbers alone only where one order is possible: 6/9/2021 is June in one country and September in another, 20/9/2021 is not.
DATES = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?<!-){YEAR}-(?P<month>\d\d)-(?P<day>\d\d)(?!\d|-\d)",
        rf"{YEAR}\s?年\s?(?P<month>\d\d?)\s?月\s?(?P<day>\d\d?)\s?日",
        rf"{DAY}(?:st|nd|rd|th|er|\.)?[\s-](?:of |de )?{MONTH}\.?,?(?: de)?[\s-]{YEAR}",
        rf"\b{MONTH}\.?\s{DAY}(?:st|nd|rd|th)?,?\s{YEAR}",
        rf"(?<![\d/.-])(?P<day>1[3-9]|[23]\d)[/.-](?P<month>\d\d?)[/.-]{YEAR}(?![/.-]?\d)",
        rf"(?<![\d/.-])(?P<month>\d\d?)[/.-](?P<day>1[3-9]|[23]\d)[/.-]{YEAR}(?![/.-]?\d)",
        rf"(?<=/){YEAR}/(?P<month>\d\d)/(?P<day>\d\d)(?=/)",
    )
)
YEARLESS = tuple(re.compile(form, re.IGNORECASE) for form in (rf"\b{MONTH}\.?\s{DAY}(?!\d)", rf"{DAY}\s{MONTH}"))


def full_dates(text: str) -> list[tuple[int, int, str]]:
    """Return the start, the end and the ISO form of each full date of a text, in order; impossible dates are left out."""
    found = []
    for match in (match for form in DATES for match in form.finditer(text)):
        try:
            found.append((*match.span(), date(int(match["year"]), _month(match["month"]), int(match["day"])).isoformat()))
        except ValueError:  # 30 February
            continue
    return sorted(found)


def days(text: str) -> set[str]:
    """Return the days that a text names, with or without a year, as ``11-20``."""
    return {f"{_month(match['month']):02}-{int(match['day']):02}" for form in YEARLESS for match in form.finditer(text)}


def _month(month: str) -> int:
    return int(month) if month.isdecimal() else NUMBERS[month.lower()]
