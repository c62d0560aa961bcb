"""Every number in a text, read by one parser: its value, its unit or currency, and what it counts.

Digits and English number words alike: ``two hundred and five people`` is 205 people, ``$30bn`` is 30 billion dollars. Ordinals
in words are no numbers here, and neither is a lone "one", which is mostly a pronoun.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from rag.text.currencies import CURRENCIES, CURRENCY_SIGNS, CURRENCY_WORDS, DOUBTFUL, DOUBTFUL_BELOW, UNIT_WORDS
from rag.text.words import STOP_WORDS, content_words, stem

if TYPE_CHECKING:
    from collections.abc import Callable

PERCENT = "percent"
YEAR = re.compile(r"1\d{3}|20\d{2}")
EXACT_DIGITS = 28  # a Decimal of the standard context holds no more digits exactly

_UNITS = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SMALL = {
    **{word: value for value, word in enumerate([*_UNITS, *_TEENS], start=1)},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
}
POWERS = {"thousand": 3, "lakh": 5, "million": 6, "crore": 7, "billion": 9, "trillion": 12}
_SHORT_SCALES = {"mn": "million", "mln": "million", "bn": "billion", "bln": "billion", "tn": "trillion", "trn": "trillion"}
SCALES = {form: word for word in POWERS for form in (word, f"{word}s")} | _SHORT_SCALES
MAX_GLUED = 2  # digits: "GBP1" and "SYP22" are genes, "GBP500" is a price
PRICED_SCALES = {"k": "thousand", "m": "million", "b": "billion"}  # "$5m": without a sign these may be metres

GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})+(?:\.\d+)?")
# Thin and no-break spaces part thousands; a plain space does only before "000", since it may part two numbers.
DIGITS = r"\d+(?:[.,]\d+|[\u00a0\u2009\u202f]\d{3}(?!\d)| 000(?!\d))*"
MULTIPLIERS = "|".join(("hundred", "dozen", *POWERS))
BEGINS = rf"(?:[hH](?i:alf an?)|[aA]n?)(?= (?i:{MULTIPLIERS})\b)"  # "half a million", "a dozen"
# By first letters, each in both cases: this scans a text in half the time of plain alternatives that ignore the case.
_SMALL_BY_LETTER = "|".join(
    f"[{letter}{letter.upper()}](?i:{'|'.join(word[1:] for word in found)})"
    for letter, found in groupby(sorted(SMALL), key=lambda word: word[0])
)
NUMERAL = re.compile(rf"{DIGITS}|\b(?:(?:{_SMALL_BY_LETTER})\b|{BEGINS})")
LEADING_DIGITS = re.compile(DIGITS)
_TO_NINTH = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
_TO_NINETIETH = rf"{_TO_NINTH}|tenth|eleventh|twelfth|\w{{3,6}}teenth|\w{{3,5}}tieth"
ORDINAL_WORD = re.compile(  # "twenty-first" and "hundred and first", but "five-second"
    rf"(?:(?<=ty)-(?:{_TO_NINTH})|(?<=undred|ousand) and (?:{_TO_NINETIETH})|[ -](?:hundredth|thousandth|millionth))\b",
    re.IGNORECASE,
)
SHARE_OF = re.compile(r"\b(?:quarter|third|half|fifth|tenth)s? of $", re.IGNORECASE)  # "a quarter of a million"
BETWEEN = re.compile(r"\bbetween $", re.IGNORECASE)
SIGN = re.compile(r"(?<![^\W\d_])(?:[^\W\d_]{0,3}\.?|[^\W\d_]{0,3}[^\w\s.,;:()])\s?$")
SIGN_AFTER = re.compile(r"\s?([€$£¥₹₽₺₴₩]|zł)(?!\s?\d)")
NEXT_WORD = re.compile(r"[\s-]?([^\W\d_]+)")
PER_CENT = re.compile(r"\s?(?:%|per\s?cent\b)", re.IGNORECASE)
SQUARE = re.compile(r"[\s-](?:square|sq\.?)(?=[\s-])", re.IGNORECASE)
COUNTRY = re.compile(r"[\s-]((?:[A-Z][\w.]*[ -]){1,2})(?=[a-z])")  # the United States and others, before their currency
THING = re.compile(r" ([a-z]+)")
THINGS = re.compile(r"(?! per)(?:[ -][a-z]+){1,3}")
HOME = {"dollar": frozenset(("us", "american", "")), "pound": frozenset(("british", "uk", ""))}


def _group(*, joint: str) -> re.Pattern[str]:
    """Return the pattern of the words of a number below a thousand with its scale word; ``joint`` follows "hundred"."""

    def below_hundred(place: int) -> str:
        tens, ones, small = "|".join(_TENS), "|".join(_UNITS), "|".join((*_TEENS, *_UNITS))
        return rf"(?>(?P<tens{place}>{tens})(?:[ -](?P<ones{place}>{ones})\b)?|(?P<small{place}>{small}))\b"

    return re.compile(
        rf"(?:(?P<begins>{BEGINS})|{below_hundred(1)})"
        rf"(?P<hundred>[ -]hundred\b(?:{joint}{below_hundred(2)}(?![ -]hundred\b))?)?"
        rf"(?P<half> and a half\b)?(?:[ -](?P<scale>dozen|{'|'.join(POWERS)})\b)?",
        re.IGNORECASE,
    )


GROUP, JOINT = _group(joint="(?: and |[ -])"), re.compile(" and |[ -]", re.IGNORECASE)
GROUP_APART, JOINT_APART = _group(joint="[ -]"), re.compile("[ -]")  # "between two hundred and five hundred"


class Quantity(NamedTuple):
    """A number in a text.

    ``start`` and ``end`` span the number with its scale word, without unit and currency. ``written`` is the number before the
    scale word in plain digits: ``2500`` for ``2,500``, ``2.7`` for ``2.7bn``. ``unit`` is "percent", a currency, a unit or
    empty; ``counts`` the stem of what is counted, empty where nothing is.
    """

    start: int
    end: int
    written: str
    scale: str
    unit: str
    counts: str
    is_spelt: bool

    @property
    def value(self) -> Decimal | None:
        """The exact value; None for what is no single number, as a version or a date (``1.2.3``)."""
        try:
            return Decimal(self.written).scaleb(POWERS.get(self.scale, 0)) if len(self.written) <= EXACT_DIGITS else None
        except ArithmeticError:
            return None

    @property
    def plain(self) -> str:
        """The number in plain digits: two numbers are the same where this is equal."""
        value = self.value if self.scale else None
        return self.written if value is None else _without_exponent(value)

    @property
    def is_money(self) -> bool:
        """Whether the unit is a currency."""
        return self.unit in CURRENCIES or self.unit.endswith((" dollar", " pound"))


@lru_cache(maxsize=8192)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Return the numbers of a text in order."""
    found: list[Quantity] = []
    match = NUMERAL.search(text)
    while match:
        if match[0][0].isdigit():
            found.append(_of_digits(text, match))
            match = NUMERAL.search(text, match.end())
        else:
            end, number = _of_words(text, match.start())
            if number:
                found.append(number)
            match = NUMERAL.search(text, max(end, match.end()))
    return tuple(found)


def numbers(text: str) -> frozenset[str]:
    """Return the numbers in plain digits: 2500 for ``2,500``, 2700000000 for ``2.7bn``, 23percent for ``23%``."""
    return frozenset(q.plain + PERCENT if q.unit == PERCENT else q.plain for q in quantities(text))


def measured(text: str) -> dict[str, frozenset[str]]:
    """Return the currencies and units that stand at each number: dollar at 30000000000 for ``$30 billion``."""
    found: dict[str, frozenset[str]] = {}
    for q in quantities(text):
        if q.unit and q.unit != PERCENT:
            found[q.plain] = found.get(q.plain, frozenset()) | {q.unit}
    return found


def counted(text: str) -> list[tuple[str, str]]:
    """Return each number with the stem of what it counts: the first content word of the lower-case words right after it."""
    return [(q.plain, q.counts) for q in quantities(text) if q.counts]


def plain_number(word: str) -> str | None:
    """Return the plain form of the digits that a word begins with; None where it begins with none."""
    match = LEADING_DIGITS.match(word)
    return _plain(match[0]) if match else None


def in_digits(text: str) -> str:
    """Return the text with digits in the place of number words; a scale word stays: ``2 million`` for ``two million``."""
    return _rewritten(text, lambda q: f"{q.written} {q.scale}".rstrip() if q.is_spelt else "")


def in_full(text: str) -> str:
    """Return the text with plain digits in the place of each number and its scale word: ``2700000000`` for ``2.7bn``."""
    return _rewritten(text, lambda q: q.plain)


def _rewritten(text: str, form: Callable[[Quantity], str]) -> str:
    parts, done = [], 0
    for q in quantities(text):
        if instead := form(q):
            parts += [text[done : q.start], instead]
            done = q.end
    return "".join((*parts, text[done:])) if parts else text


def _of_digits(text: str, match: re.Match[str]) -> Quantity:
    start, end = match.span()
    sign = _currency_before(text, start)
    scale, after = _scale(text, end, priced=bool(sign))
    written = _plain(match[0])
    glued = start > 0 and text[start - 1].isalpha()
    if glued and sign and not scale and len(written) <= MAX_GLUED:
        sign = ""
    unit = sign or ("" if glued else _unit_after(text, after, written, scale))
    is_year = not scale and bool(YEAR.fullmatch(match[0])) and match[0] >= "1600"  # 1500 acres, and in 1620 ships left
    stands_alone = not start or not (text[start - 1].isalnum() or text[start - 1] in "_.,")
    counts = _counts(text, after) if stands_alone and not is_year else ""
    return Quantity(start, after, written, scale, unit, counts, False)


def _of_words(text: str, start: int) -> tuple[int, Quantity | None]:
    """Read the number words at ``start``; return where they end, and the number, None where they are none."""
    apart = BETWEEN.search(text, max(0, start - 10), start)
    group, joint = (GROUP_APART, JOINT_APART) if apart else (GROUP, JOINT)
    match, end, groups = group.match(text, start), start, []
    while match:
        scale = (match["scale"] or "").lower()
        groups.append((_below_thousand(match) * (12 if scale == "dozen" else 1), "" if scale == "dozen" else scale))
        end = match.end()
        joined = joint.match(text, end) if groups[-1][1] else None
        following = group.match(text, joined.end()) if joined else None
        smaller = following and POWERS.get((following["scale"] or "").lower(), 0) < POWERS[groups[-1][1]]
        match = following if smaller and following and not following["begins"] else None
    if not groups or ORDINAL_WORD.match(text, end) or SHARE_OF.search(text, max(0, start - 12), start):
        return end, None
    value, scale = groups[0]
    if len(groups) > 1:
        value, scale = sum((number.scaleb(POWERS.get(scale, 0)) for number, scale in groups), Decimal(0)), ""
    written = _without_exponent(value)
    unit = _unit_after(text, end, written, scale)
    if written == "1" and not scale and unit != PERCENT:
        return end, None  # "one" is mostly a pronoun
    return end, Quantity(start, end, written, scale, unit, _counts(text, end), True)


def _below_thousand(match: re.Match[str]) -> Decimal:
    first, second = (
        sum(SMALL[word.lower()] for name in ("tens", "ones", "small") if (word := match[f"{name}{place}"])) for place in (1, 2)
    )
    number = Decimal(first)
    if begins := match["begins"]:
        number = Decimal("0.5") if begins[0] in "hH" else Decimal(1)
    if match["hundred"]:
        number = number * 100 + second
    return number + Decimal("0.5") if match["half"] else number


def _plain(digits: str) -> str:
    digits = "".join(digits.split())
    return digits.replace(",", "") if "," in digits and GROUPED.fullmatch(digits) else digits


def _without_exponent(value: Decimal) -> str:
    return format(value.normalize(), "f")


def _scale(text: str, end: int, *, priced: bool) -> tuple[str, int]:
    """Return the scale word behind the digits that end at ``end``, empty where there is none, and where it ends."""
    word = NEXT_WORD.match(text, end)
    if not word:
        return "", end
    said = word[1].lower()
    scale = SCALES.get(said) or (PRICED_SCALES.get(said) if priced and word.start(1) == end else None)
    return (scale, word.end()) if scale else ("", end)


def _currency_before(text: str, start: int) -> str:
    """Return the currency whose sign or code stands before the digits at ``start``, empty where none does."""
    before = text[max(0, start - 6) : start]
    sign = SIGN.search(before) if before and not before[-1].isdigit() else None
    mark = sign[0].strip() if sign else ""
    return CURRENCY_SIGNS.get(mark) or CURRENCY_SIGNS.get(mark[-1:] if mark and not mark[-1].isalnum() else "", "")


def _unit_after(text: str, position: int, written: str, scale: str) -> str:
    """Return the percent sign, unit or currency that stands right behind a number, empty where none does."""
    if PER_CENT.match(text, position):
        return PERCENT
    if sign := SIGN_AFTER.match(text, position):
        return CURRENCY_SIGNS[sign[1]]
    square = SQUARE.match(text, position)
    word = NEXT_WORD.match(text, square.end() if square else position)
    if not word:
        return ""
    said = word[1].lower()
    if said in UNIT_WORDS:
        return f"square {UNIT_WORDS[said]}" if square else UNIT_WORDS[said]
    return _currency_after(text, position, word, is_small=not scale and len(written) < len(str(DOUBTFUL_BELOW)))


def _currency_after(text: str, position: int, word: re.Match[str], *, is_small: bool) -> str:
    """Return the currency that the next ``word`` behind a number names, alone or behind its country; empty where none does."""
    if word[1] in CURRENCY_SIGNS:
        thing = THING.match(text, word.end())
        names_a_thing = word.start(1) == position or (thing and thing[1] not in STOP_WORDS)  # "163 CAD patients"
        return "" if names_a_thing else CURRENCY_SIGNS[word[1]]
    country = COUNTRY.match(text, position)
    noun = NEXT_WORD.match(text, country.end()) if country else word
    said = noun[1].lower() if noun else ""
    currency = CURRENCY_WORDS.get(said, "")
    if (said in DOUBTFUL and is_small) or (currency == "pound" and text[position] == "-"):  # "a 200-pound man"
        return ""
    whose = country[1].replace(".", "").strip(" -").lower() if country else ""
    return f"{whose} {currency}" if currency in HOME and whose not in HOME[currency] else currency


def _counts(text: str, position: int) -> str:
    """Return the stem of the first content word of the lower-case words behind a number, empty where there is none."""
    if PER_CENT.match(text, position):
        return PERCENT
    things = THINGS.match(text, position)
    said = content_words(things[0]) if things else []
    return stem(said[0]) if said and said[0] not in SMALL else ""
