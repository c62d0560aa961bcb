"""Does a question lean on the one before it? A few rules for English, each of them precise rather than complete.

A question that stands alone must stay as it is: words of another topic make the search worse.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.text.terms import content_terms
from rag.text.words import STOP_WORDS, names, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterator

PRONOUN = re.compile(r"\b(?:he|she|it|they|him|her|them|his|hers|its|their|theirs)\b", re.IGNORECASE)

_BE = "is|are|was|were|be|been|being"
_AUXILIARY = rf"{_BE}|do|does|did|has|have|had|will|would|can|could|should|may|might|must"
_PREPOSITION = (
    "about|aboard|after|against|at|because of|before|behind|beyond|by|despite|during|for|from|in|inside|into|like|near|of|on|over"
    "|since|through|to|towards?|under|until|with|within|without"
)
_ASKS = rf"(?:who|whom|what|which|when|where|why|how(?: (?:much|many|long|far|often|old|big|high|soon))?)"
_TIME = (
    "years?|months?|weeks?|weekend|days?|morning|afternoon|evening|night|spring|summer|autumn|fall|winter|season|quarter|decade"
    "|century|time|january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday"
    "|wednesday|thursday|friday|saturday|sunday"
)
FILLER = re.compile(r"(?:(?:ok(?:ay)?|thanks|thank you|yes|yeah|no|well|alright|right|sure|hm+|oh|great|good|i see)\b[,.!:; ]*)+", re.I)
NEW_TOPIC = re.compile(r"(?:an)?other (?:topic|question|subject|thing)\b|new (?:topic|question)\b|(?:by the way|something else)\b", re.I)
BEGINS = re.compile(r"(?:and|but|so(?! far\b)|or|then|also|what about|how about)\b", re.IGNORECASE)

# "It" that stands for nothing, matched where it stands: of the weather, or for what an infinitive or a clause behind it says.
EMPTY_IT = re.compile(
    r"it (?:\w+ly )?(?:rain|snow|hail|freez|thunder|drizzl)"
    r"|it (?:takes?|took|taken|costs?)(?: \w+){0,4} to \w+ (?P<object>.+)"
    r"|it (?:(?:is|was|be|been) )?(?:\w+ly |too |still |now )?(?:safe|possible|legal|illegal|allowed|forbidden|necessary|hard|difficult"
    r"|easy|cheap\w*|expensive|dangerous|worth|common|normal|usual|important|better|best|good|bad|healthy|wise|rude|fine|ok|okay|late"
    r"|early)(?: for [\w ]+)? to \w+ (?P<what>.+)"
    r"|it (?:(?:is|was|be|been) )?(?:true|likely|possible|certain|clear|known|reported|said|claimed|confirmed|believed) (?:that|if)\b"
    r"|it [A-Z]\S*(?: [A-Z]\S*)* (?:who|that|which)\b",
)
# "What time is it in Tokyo?", "How hot does it get in Cairo?"
ASKS_WEATHER = re.compile(
    r"\b(?:what (?:time|day|date)|how (?:hot|cold|warm|dark|sunny|windy|humid|rainy))\b.* it\b.* (?:in|at|on)\b", re.IGNORECASE
)
# What goes before a clause explains the pronoun of a thing in it: "Do birds sing when they breed?"
MAIN_CLAUSE = re.compile(
    r"\b(?:the|an?|do|does|did|are|is|can|will) (?!you\b)\w{3,}.*"
    r"\b(?:when|where|why|that|if|whether|because|before|after|while|until|since|how|than|as)\b",
    re.IGNORECASE,
)
PEOPLE = frozenset(("he", "she", "him", "her", "his", "hers"))

POINTS = re.compile(
    rf"\b(?P<this>this|these|those)\b(?! (?:who|which|that|with|in|of|from|without)\b)(?! (?:past |last |coming |very )?(?:{_TIME})\b)"
    rf"|(?:^|\b(?:{_PREPOSITION}|{_AUXILIARY}) )that\b(?! (?:{_TIME}) (?:when|that)\b)|\bthat(?: \w+)?\W*$",
    re.IGNORECASE,
)
POINTS_TO_PLACE = re.compile(
    rf"(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bwere )(?<!\bwill )(?<!\bbe )(?<!\bcan )(?<!\bhave )(?<!\bhas )(?<!\bmight )"
    rf"(?<!\bcould )(?<!\bwould )\bthere\b(?! (?:{_BE}|will|has|have|can|could|might|would)\b)(?!['’]s)",
    re.IGNORECASE,
)
POINTS_TO_TIME = re.compile(rf"\b(?:back|since|by|until|before|till|just) then\b|\bthen\W*$|\bat (?:the|that) time\W*$", re.IGNORECASE)
POINTS_TO_SAME = re.compile(
    r"\b(?:the same|that|the (?:previous|next|following)) (?:year|month|week|day|time|place|city|country|person|man|woman|company)\W*$"
    r"|\bthe (?:former|latter|other ones?|others|first one|second one|last one|rest)\W*$",
    re.IGNORECASE,
)
COMPARES = re.compile(
    r"^(?:which|who|what)(?: one| of (?:them|these|those|the two))? (?:is|are|was|were|has|had|came|got|does|did|do)"
    r" (?:the |a )?(?:more \w+|most \w+|less \w+|least \w+|better|best|worse|worst|first|last|\w{2,}(?:er|est))(?: ones?)?\W*$"
    r"|\b(?:any|an?|another|some|the|which)(?: \w+(?:er|est))? ones?\W*$"
    rf"|\b(?:any|some|more|are there|the) others?\W*$",
    re.IGNORECASE,
)
ASKS_ALONE = re.compile(  # "when exactly", "who else", "by how much", "on what conditions?", "Who won?", "who is paying?"
    rf"^(?:(?:{_PREPOSITION}) )?{_ASKS}(?: (?:exactly|precisely|not|so|else|ones?|times?|come))*\W*$"
    rf"|^(?:{_PREPOSITION}) (?:what|which|whose|how (?:much|many)|whom) \w+\W*$"
    rf"|^(?:who|what) (?:\w+(?:ed|[^s]s)|won|lost|died|did|said|knew|paid|left|came|began|fell|rose|spoke|wrote|built|made|got|went)\W*$"
    rf"|^{_ASKS} (?:{_AUXILIARY}) (?:\w+(?:ed|ing)|hurt|hit|killed|paid|sold|built|left|lost|won|shot|found|sent|made|known|done)\W*$",
    re.IGNORECASE,
)
ASKS_ON = re.compile(
    r"^(?:(?:can|could) you )?(?:(?:please|tell me|give me|show me|say|any|some|a few|a bit|what|anything|something) )*"
    r"(?:more|else|further|others?|another|examples?|details?|reasons?|explain|elaborate|continue|go on|repeat)"
    r"(?: (?:about|on|of|for|it|details?|examples?|information|info|reasons?|please|detail|ones?))*\W*$",
    re.IGNORECASE,
)
FRAGMENT = re.compile(rf"^(?:{_PREPOSITION}|than|instead of)(?: (?:the|a|an|his|her))?(?: [\w’'-]+){{1,3}}\W*$", re.IGNORECASE)
VERB = re.compile(rf"\b(?:{_AUXILIARY}|{_ASKS})\b", re.IGNORECASE)


def leans(question: str) -> bool:
    """Say whether a question needs the one before it: it points to something that it does not name, or asks for too little."""
    filler = FILLER.match(question)
    asked = question[filler.end() :] if filler and filler.end() < len(question) else question
    if NEW_TOPIC.match(asked):
        return False
    if not content_terms(asked) or BEGINS.match(asked) or any(_points_back(asked)):
        return True
    if COMPARES.search(asked) or ASKS_ALONE.search(asked) or ASKS_ON.search(asked):
        return not names(asked)
    return bool(FRAGMENT.search(asked)) and not VERB.search(asked)


def _points_back(question: str) -> Iterator[bool]:
    """Say of each word that may point to an earlier question whether it does."""
    for match in PRONOUN.finditer(question):
        pronoun, before = match[0].lower(), question[: match.start()]
        explained = names(before) or (pronoun not in PEOPLE and MAIN_CLAUSE.search(before))
        yield not (explained or (pronoun == "it" and _is_empty(question, match.start())))
    for match in POINTS.finditer(question):
        noun = words(question[match.end() :])[:1]
        said = {stem(word) for word in words(question[: match.start()])}
        yield not (noun and noun[0] not in STOP_WORDS and stem(noun[0]) in said)
    if match := POINTS_TO_PLACE.search(question):
        yield not names(question[: match.start()])
    yield bool(POINTS_TO_TIME.search(question) or POINTS_TO_SAME.search(question))


def _is_empty(question: str, position: int) -> bool:
    """Say whether the "it" at ``position`` stands for nothing: "Is it safe to swim in Lake Geneva?"."""
    found = EMPTY_IT.match(question, position)
    if found and found.re.groups and (what := found["object"] or found["what"]):
        return bool(content_terms(what)) and not PRONOUN.search(what)
    return bool(found and not (found["object"] or found["what"])) or bool(ASKS_WEATHER.search(question))
