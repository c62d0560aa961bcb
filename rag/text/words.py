"""The words and names of a text, in forms that compare: stems, content words, names of lands and their people.

Stop words and stems are English; words of other languages stay as they are. The functions are pure; only the stemmer has state.
"""

from __future__ import annotations

import re
from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]

from rag.text.nations import LANDS

WORD = re.compile(r"\w+(?:[.,’'-]\w+)*")
PARTS = re.compile(r"[-’']")
DOTTED = re.compile(r"(?:\w\.)+\w\.?")
CAPITALISED_RUN = re.compile(r"[A-Z][\w’'-]*(?: [A-Z][\w’'-]*)+")
# How a place and its people end where no table holds them, and how many letters the two must share: first names differ by such
# endings too (Maria and Marian, Carl and Carlo). The last three are endings of stems.
ENDINGS = (
    ("a", "an", 5),
    ("", "ian", 5),
    ("", "ese", 4),
    ("", "ish", 4),
    ("y", "ian", 4),
    ("o", "oan", 3),
    ("y", "i", 4),
    ("i", "ian", 4),
    ("", "es", 5),
)
SENTENCE_START = re.compile(r"(?:^|[.!?:]\s|\n|[“\"]\s?)\W*$")

STOP_WORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being between both but by can could "
    "did do does doing down during each few for from further had has have having he her here hers him his how i if in into is "
    "it its itself just me more most my no nor not now of off on once only or other our out over own said same say says she "
    "should so some such tell than that the their them then there these they this those through to too under until up us very "
    "was we were what when where which while who whom whose why will with would you your "
    "according article articles many much name give please know".split()
)
# Words that say which way a thing went: a word left of the bar and one right of it cannot both be true.
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
_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the Snowball stem of a lower-case word (Porter 2)."""
    return str(_stemmer.stemWord(word))


# The lines of the table that each word of a land and each stem of one stands on.
LANDS_OF: dict[str, frozenset[int]] = {}
for number, land in enumerate(LANDS):
    for form in land | {stem(word) for word in land}:
        LANDS_OF[form] = LANDS_OF.get(form, frozenset()) | {number}
# The stem of each word that says which way a thing went, with its line of _OPPOSED and its side of it: "+0" for a rise.
POLES = {
    stem(word): f"{side}{line}"
    for line, sides in enumerate(_OPPOSED.strip().splitlines())
    for side, there in zip("+-", sides.split("|"), strict=True)
    for word in there.split()
}


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, cut at hyphens and apostrophes: ``four-day`` is two, ``U.S.`` is us."""
    return [part for match in WORD.finditer(text) for part in _parts(match[0]) if part]


def content_words(text: str) -> list[str]:
    """Return the words that are no stop words, in order; of single ASCII characters only the digits."""
    return [w for w in words(text) if w not in STOP_WORDS and (len(w) > 1 or not w.isascii() or w.isdigit())]


def names(text: str) -> frozenset[str]:
    """Return the capitalised words of a text in lower case.

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
    """Return the runs of two and more capitalised words: ``Taizhou International Expo``."""
    return CAPITALISED_RUN.findall(text)


def initials(text: str) -> frozenset[str]:
    """Return what two to five content words in a row abbreviate to: ``gwm`` for Great Wall Motors."""
    firsts = "".join(w[0] for w in content_words(text) if w[0].isalpha())
    return frozenset(firsts[i : i + n] for n in range(2, 6) for i in range(len(firsts) - n + 1))


@lru_cache(maxsize=65536)
def _lands_of(word: str) -> frozenset[int]:
    """Return the lines of the table of lands that a word or its stem stands on."""
    return LANDS_OF.get(word, frozenset()) | LANDS_OF.get(stem(word), frozenset())


def is_land(word: str) -> bool:
    """Return whether a lower-case word names a country, a well-known land or city, or its people."""
    return bool(_lands_of(word))


def same_name(one: str, other: str) -> bool:
    """Return whether two lower-case words name the same place or people, as ``china`` and ``chinese`` do."""
    if one == other or stem(one) == stem(other):
        return True
    lands, others = _lands_of(one), _lands_of(other)
    if lands or others:
        return not lands.isdisjoint(others)
    if one[:3] != other[:3]:
        return False
    place, people = sorted((one, other), key=len)
    return any(
        people.endswith(ending) and place.endswith(begins) and people.removesuffix(ending) == place.removesuffix(begins)
        for begins, ending, shared in ENDINGS
        if len(place) - len(begins) >= shared
    )


def _parts(word: str) -> list[str]:
    plain = word.replace(".", "") if DOTTED.fullmatch(word) else word
    return PARTS.split(plain.casefold())
