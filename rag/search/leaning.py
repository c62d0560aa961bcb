"""Does a question lean on the one before it? A few rules for English, each of them precise rather than complete.

A question that stands alone must stay as it is: words of another topic make the search worse.
"""

from __future__ import annotations

import re
from itertools import islice

from rag.text.terms import content_terms
from rag.text.words import STOP_WORDS, names, stem, words

PRONOUNS_READ = 8  # a question with more of them is no question; each one costs a look at all that stands before it
PRONOUN = re.compile(r"\b(?:he|she|it|they|him|her|them|his|hers|its|their|theirs)\b", re.IGNORECASE)

_BE = "is|are|was|were|be|been|being"
_AUXILIARY = rf"{_BE}|do|does|did|has|have|had|will|would|can|could|should|may|might|must"
_PREPOSITION = (
    "about|aboard|after|against|at|because of|before|behind|beyond|by|despite|during|for|from|in|inside|into|like|near|of|on"
    "|over|since|through|to|towards?|under|until|with|within|without"
)
_ASKS = "(?:who|whom|what|which|when|where|why|how(?: (?:much|many|long|far|often|old|big|high|soon))?)"
_TIME = (
    "years?|months?|weeks?|weekend|days?|morning|afternoon|evening|night|spring|summer|autumn|fall|winter|season|quarter|decade"
    "|century|time|stage|point|moment|january|february|march|april|may|june|july|august|september|october|november|december"
    "|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
FILLER = re.compile(
    r"(?:(?:ok(?:ay)?|thanks|thank you|yes|yeah|no|well|alright|right|sure|hm+|oh|great|good|sorry|i see)\b[,.!:; ]*)+",
    re.IGNORECASE,
)
NEW_TOPIC = re.compile(
    r"(?:(?:an)?other|new|different) (?:topic|question|subject|thing)\b|by the way\b|something else\b",
    re.IGNORECASE,
)
BEGINS = re.compile(r"(?:and|but|so(?! far\b)|or|then|also|what about|how about|i (?:mean|meant(?! to)))\b", re.IGNORECASE)

# "It" that stands for nothing, matched where it stands: of the weather, or for what an infinitive or a clause behind it says.
_FIT = (
    "safe|possible|legal|illegal|allowed|forbidden|necessary|hard|difficult|easy|cheap|cheaper|expensive|dangerous|worth|common"
    "|normal|usual|important|better|best|good|bad|healthy|wise|rude|fine|ok|okay|late|early"
)
_SO = "true|likely|possible|certain|clear|known|reported|said|claimed|confirmed|believed"
EMPTY_IT = re.compile(
    r"it (?:\w+ly )?(?:rain|snow|hail|freez|thunder|drizzl)"
    r"|it (?:takes?|took|taken|costs?)(?: \w+){0,4} to \w+ (?P<cost>.+)"
    rf"|it (?:(?:is|was|be|been) )?(?:\w+ly |too |still |now )?(?:{_FIT})(?: for [\w ]+)? to \w+ (?P<fit>.+)"
    rf"|it (?:(?:is|was|be|been) )?(?:{_SO}) (?:that|if)\b"
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
# "Which country lost its king?"
ASKS_FOR_THING = re.compile(rf"(?:(?:{_PREPOSITION}) )?(?:which|what) (?!(?:{_AUXILIARY})\b)", re.IGNORECASE)
SUBJECT = re.compile(r"\b(?:do|does|did|will|can|has|have|had) the \w{3,}", re.IGNORECASE)  # "How did the horse get its name?"
PEOPLE = frozenset(("he", "she", "him", "her", "his", "hers"))

# Words that point to a thing, and are neither of the time ("this year") nor a conjunction ("say that it") nor "those who".
POINTS_TO_THING = re.compile(
    r"\b(?:this|these|those)\b(?! (?:who|which|that|with|in|of|from|without)\b)"
    rf"(?! (?:past |last |coming |very )?(?:{_TIME})\b)"
    rf"|(?:^|\b(?:{_PREPOSITION}|{_AUXILIARY}) )that\b(?! (?:{_TIME}) (?:when|that)\b)|\bthat(?: (?!\w+(?:s|ed)\b)\w+)?\W*$"
    r"|^(?:who|what|when|where|why|how)(?: \w+){1,2} that (?:in|at|on|by|for|with|from)(?: \w+){1,3}\W*$",
    re.IGNORECASE,
)
_THERE_IS = "".join(rf"(?<!\b{word} )" for word in "is are was were will be can have has might could would".split())
POINTS_TO_PLACE = re.compile(
    rf"{_THERE_IS}(?<!n['’]t )\bthere\b(?! (?:{_BE}|will|has|have|can|could|might|would)\b)(?!['’]s)", re.IGNORECASE
)
POINTS_TO_TIME = re.compile(
    r"\b(?:back|since|by|until|before|till|just) then\b|\bthen\W*$|\bat (?:the|that) time\W*$", re.IGNORECASE
)
POINTS_TO_SAME = re.compile(
    r"\b(?:the same|that|the (?:previous|next|following))"
    r" (?:year|month|week|day|time|place|city|country|person|man|woman|company)\W*$"
    r"|\bthe (?:former|latter|other ones?|others|first one|second one|last one|rest)\W*$",
    re.IGNORECASE,
)
COMPARES = re.compile(  # "Which is older?", "Is there a taller one?"
    r"^(?:which|who|what)(?: one| of (?:them|these|those|the two))? (?:is|are|was|were|has|had|came|got|does|did|do)"
    r" (?:the |a )?(?:more \w+|most \w+|less \w+|least \w+|better|best|worse|worst|first|last|\w{2,}(?:er|est))(?: ones?)?\W*$"
    r"|\b(?:any|an?|another|some|the|which)(?: \w+(?:er|est))? ones?\W*$"
    r"|\b(?:any|some|more|are there|the) others?\W*$",
    re.IGNORECASE,
)
_DID = "won|lost|died|did|said|knew|paid|left|came|began|fell|rose|spoke|wrote|built|made|got|went"
_DONE = "hurt|hit|killed|paid|sold|built|left|lost|won|shot|found|sent|made|known|done"
ASKS_ALONE = re.compile(  # "when exactly", "by how much", "on what conditions?", "Who won?", "who is paying?"
    rf"^(?:(?:{_PREPOSITION}) )?{_ASKS}(?: (?:exactly|precisely|not|so|else|ones?|times?|come))*\W*$"
    rf"|^(?:{_PREPOSITION}) (?:what|which|whose|how (?:much|many)|whom) \w+\W*$"
    rf"|^(?:who|what) (?:\w+(?:ed|[^s]s)|{_DID})\W*$"
    rf"|^{_ASKS} (?:{_AUXILIARY}) (?:\w+(?:ed|ing)|{_DONE})\W*$",
    re.IGNORECASE,
)
ASKS_ON = re.compile(
    r"^(?:(?:can|could) you )?(?:(?:please|tell me|give me|show me|provide|say|any|some|a few|a bit|what|anything|something) )*"
    r"(?:more|else|further|others?|another|examples?|details?|reasons?|explain|elaborate|continue|go on|repeat)"
    r"(?: (?:about|on|of|for|it|details?|examples?|information|info|reasons?|please|detail|ones?))*\W*$"
    r"|^(?:are you sure|really|is that so)\W*$",
    re.IGNORECASE,
)
FRAGMENT = re.compile(rf"^(?:{_PREPOSITION}|than|instead of)(?: (?:the|a|an|his|her))?(?: [\w’'-]+){{1,3}}\?$", re.IGNORECASE)
VERB = re.compile(rf"\b(?:{_AUXILIARY}|{_ASKS})\b", re.IGNORECASE)


def leans(question: str) -> bool:
    """Return whether a question needs the one before it: it points to something unnamed, or asks for too little."""
    filler = FILLER.match(question)
    asked = question[filler.end() :] if filler and filler.end() < len(question) else question
    if NEW_TOPIC.match(asked):
        return False
    if not content_terms(asked) or BEGINS.match(asked) or points_back(asked):
        return True
    if COMPARES.search(asked) or ASKS_ALONE.search(asked) or ASKS_ON.search(asked):
        return not names(asked)
    return bool(FRAGMENT.search(asked)) and not VERB.search(asked)


def points_back(question: str) -> list[re.Match[str]]:
    """Return the words of a question that stand for something in an earlier one; its pronouns come first."""
    found = [match for match in islice(PRONOUN.finditer(question), PRONOUNS_READ) if not _is_explained(question, match)]
    for match in islice(POINTS_TO_THING.finditer(question), PRONOUNS_READ):
        noun, before = words(question[match.end() :])[:1], question[: match.start()]
        is_said = bool(noun) and noun[0] not in STOP_WORDS and stem(noun[0]) in {stem(word) for word in words(before)}
        if not (names(before) or is_said):
            found.append(match)
    for pattern in (POINTS_TO_PLACE, POINTS_TO_SAME):
        place = pattern.search(question)
        if place and not names(question[: place.start()]):
            found.append(place)
    if time := POINTS_TO_TIME.search(question):
        found.append(time)
    return found


def _is_explained(question: str, match: re.Match[str]) -> bool:
    """Return whether a pronoun stands for something that its own question says before it, or for nothing."""
    pronoun, before = match[0].lower(), question[: match.start()]
    if names(before):
        return True
    if pronoun in ("its", "their") and (ASKS_FOR_THING.match(question) or SUBJECT.search(before)):
        return True
    if pronoun not in PEOPLE and MAIN_CLAUSE.search(before):
        return True
    return pronoun == "it" and _is_empty(question, match.start())


def _is_empty(question: str, position: int) -> bool:
    """Return whether the "it" at ``position`` stands for nothing: "Is it safe to swim in Lake Geneva?"."""
    found = EMPTY_IT.match(question, position)
    if found and (done_to := found["cost"] or found["fit"]):
        return bool(content_terms(done_to)) and not PRONOUN.search(done_to)
    return bool(found or ASKS_WEATHER.search(question))
