"""What a text is about, as far as words can tell: its content words, numbers and names, in forms that compare.

English stop words and stems; other languages pass through as plain words. Pure functions, no state but a stemmer's.
"""

from __future__ import annotations

import re
from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]

WORD = re.compile(r"\w+(?:[.,’'-]\w+)*")
PARTS = re.compile(r"[-’']")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
UNIT = re.compile(
    r"\s?(?:(?P<percent>%|per\s?cent\b)|(?P<factor>thousand|million|billion|trillion|mn\b|bn\b|tn\b))", re.IGNORECASE
)
DOTTED = re.compile(r"(?:\w\.)+\w\.?")
MEASURED = re.compile(
    r"(?P<sign>[$€£¥]|\bRs\.?)\s?(?P<priced>\d+(?:[.,]\d+)*)|(?P<number>\d+(?:[.,]\d+)*)\s?(?:(?:m|b|tr)illion |thousand )?"
    r"(?P<unit>dollars?|rupees?|euros?|pounds?|yen|yuan|miles?|kilomet(?:er|re)s?|km|met(?:er|re)s?|feet|acres?|hectares?|tonn?es?"
    r"|tons?|kilograms?|kg|years?|months?|weeks?|days?|hours?|minutes?|seconds?)\b",
    re.IGNORECASE,
)
COUNTED = re.compile(
    r"(?P<number>(?<![\w.,])\d+(?:[.,]\d+)*)(?: (?:thousand|[mbt]r?illion))?(?! per)(?P<things>(?:[ -][a-z]+){1,3})"
)
YEAR = re.compile(r"1\d{3}|20\d{2}")
CAPITALISED_RUN = re.compile(r"[A-Z][\w’'-]*(?: [A-Z][\w’'-]*)+")
SIGNS = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen", "rs": "rupe", "km": "kilomet"}
ENDINGS = frozenset(("", "a", "y", "o", "ey", "n", "an", "ian", "i", "ese", "ish", "s", "stan"))  # of places and their people
SENTENCE_START = re.compile(r"(?:^|[.!?:]\s|\n|[“\"]\s?)\W*$")

STOP_WORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being between both but by can could "
    "did do does doing down during each few for from further had has have having he her here hers him his how i if in into is "
    "it its itself just me more most my no nor not now of off on once only or other our out over own said same say says she "
    "should so some such tell than that the their them then there these they this those through to too under until up us very "
    "was we were what when where which while who whom whose why will with would you your "
    "according article articles many much name give please know".split()
)
# Which way a thing went: what stands on the two sides of a line cannot both be so.
_OPPOSED = """
    rise rose risen increase grow grew grown climb gain surge soar jump up | fall fell fallen decrease drop plunge shrink down
    higher larger bigger more longer | lower smaller fewer less shorter
    approve accept adopt endorse uphold upheld | reject refuse veto dismiss overturn
    win won victory beat | lose lost defeat
    convicted guilty | acquitted innocent
    open opened | close closed shut
    allow let permit legal | ban banned forbid prohibit illegal
    confirm | deny denied
    succeed success successful | fail failure
    profit | loss
    import | export
    arrive | leave left
    buy bought | sell sold
    begin began start launch | end halt stop suspend cancel
    hire | fire dismiss
    before | after
    dead die died kill killed | injured wounded hurt survive
"""
NEGATIONS = frozenset("not no never neither nor cannot without t".split())  # "don't" is cut into "don" and "t"
_UNITS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {  # "one" is mostly a pronoun, and nothing is said to be zero in words
    **{word: str(value) for value, word in enumerate(_UNITS.split(), start=2)},
    **{word: str(10 * value) for value, word in enumerate(_TENS.split(), start=2)},
}

SPELT = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)
SHORT_FACTORS = {"mn": "million", "bn": "billion", "tn": "trillion"}

_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Give the Snowball stem of a lower-case word (Porter 2)."""
    return str(_stemmer.stemWord(word))


# The stem of each word that says which way a thing went, with its line of _OPPOSED and its side of it: "+0" for a rise.
POLES = {
    stem(word): f"{side}{line}"
    for line, sides in enumerate(_OPPOSED.strip().splitlines())
    for side, there in zip("+-", sides.split("|"), strict=True)
    for word in there.split()
}


def words(text: str) -> list[str]:
    """Give the words of a text in lower case, hyphens and apostrophes parting them: ``four-day`` is two, ``U.S.`` is us."""
    return [part for match in WORD.finditer(text) for part in _parts(match[0]) if part]


def content_words(text: str) -> list[str]:
    """Give the words that are no stop words, in order; single letters only where they are digits."""
    return [w for w in words(text) if w not in STOP_WORDS and (len(w) > 1 or not w.isascii() or w.isdigit())]


def content_sequence(text: str) -> list[str]:
    """Give the stems of the content words in order, numbers in their plain form."""
    return [plain_number(w) or stem(w) for w in content_words(text)]


def content_terms(text: str) -> frozenset[str]:
    """Give the stems of the content words, each once."""
    return frozenset(content_sequence(text))


def numbers(text: str) -> frozenset[str]:
    """Give the numbers in plain form with their factor: 2500 for ``2,500``, 23percent for ``23%``, 2.7billion for ``2.7bn``."""
    digits = in_digits(text)
    return frozenset(_plain(match[0]) + _unit(digits, match.end()) for match in NUMBER.finditer(digits))


def names(text: str) -> frozenset[str]:
    """Give the capitalised words of a text in lower case.

    A word that begins a sentence counts when the next one is capitalised too, or when it holds a second capital (``BYD``).
    """
    found: set[str] = set()
    matches = list(WORD.finditer(text))
    for i, match in enumerate(matches):
        if not any(c.isupper() for c in PARTS.split(match[0])[0]):
            continue
        begins = bool(SENTENCE_START.search(text[max(0, match.start() - 8) : match.start()]))
        followed = i + 1 < len(matches) and matches[i + 1][0][0].isupper() and text[match.end() : matches[i + 1].start()] == " "
        if not begins or followed or sum(c.isupper() for c in match[0]) > 1:
            capitals = match[0].replace(".", "").isupper()  # the US is no pronoun
            found.update(p for p in _parts(match[0]) if (capitals or p not in STOP_WORDS) and len(p) > 1 and not p[0].isdigit())
    return frozenset(found)


def full_names(text: str) -> list[str]:
    """Give the runs of two and more capitalised words: ``Taizhou International Expo``."""
    return CAPITALISED_RUN.findall(text)


def initials(text: str) -> frozenset[str]:
    """Give what two to five content words in a row abbreviate to: ``gwm`` for Great Wall Motors."""
    firsts = "".join(w[0] for w in content_words(text) if w[0].isalpha())
    return frozenset(firsts[i : i + n] for n in range(2, 6) for i in range(len(firsts) - n + 1))


def same_name(one: str, other: str) -> bool:
    """Say whether two lower-case words name the same place or people, as ``china`` and ``chinese`` do."""
    if one == other or stem(one) == stem(other):
        return True
    common = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return common >= 4 and one[common:] in ENDINGS and other[common:] in ENDINGS


def measured(text: str) -> dict[str, frozenset[str]]:
    """Give the currencies and units that stand at a number, by the digits alone: ``$30 billion`` is 30 in dollars."""
    found: dict[str, frozenset[str]] = {}
    for match in MEASURED.finditer(text):
        unit = (match["sign"] or match["unit"]).lower().strip(". ")
        digits = _plain(match["priced"] or match["number"])
        found[digits] = found.get(digits, frozenset()) | {SIGNS.get(unit, stem(unit))}
    return found


def counted(text: str) -> list[tuple[str, str]]:
    """Give each number with the stem of what it counts: the first content word of the lower-case words right after it."""
    pairs = []
    for match in COUNTED.finditer(in_digits(text)):
        things = content_words(match["things"])
        if things and not (YEAR.fullmatch(match["number"]) and match["number"] >= "1600"):  # 1500 acres, and in 1620 ships left
            pairs.append((_plain(match["number"]), stem(things[0])))
    return pairs


def plain_number(word: str) -> str | None:
    """Give a number in digits or words in its plain form; None for another word."""
    if word in NUMBER_WORDS:
        return NUMBER_WORDS[word]
    match = NUMBER.match(word)
    return _plain(match[0]) if match else None


def in_digits(text: str) -> str:
    """Put the digits in the place of each number word."""
    return SPELT.sub(lambda match: NUMBER_WORDS[match[0].lower()], text)


def _parts(word: str) -> list[str]:
    plain = word.replace(".", "") if DOTTED.fullmatch(word) else word
    return PARTS.split(plain.casefold())


def _unit(text: str, position: int) -> str:
    match = UNIT.match(text, position)
    if not match:
        return ""
    return "percent" if match["percent"] else SHORT_FACTORS.get(match["factor"].lower(), match["factor"].lower())


def _plain(digits: str) -> str:
    whole = digits.replace(",", "") if re.fullmatch(r"\d{1,3}(?:,\d{2,3})+(?:\.\d+)?", digits) else digits
    return whole.rstrip(".,")
