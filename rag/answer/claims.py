"""A draft becomes the sentences that it claims, without the markers, list signs and lead-ins of a small model."""

from __future__ import annotations

import re

from rag.text.sentences import sentences

# What looks like a citation or a control token:
# [7], [1, 2], [^1], 【3†source】, (passage 2), (Source: a.txt), <|im_end|>; and empty brackets.
_REFERS = r"(?:passages?|sources?|articles?)"
_NUMBERS = r"\^?\d+\^?(?: ?(?:[,;–-]|and|&|to) ?\^?\d+\^?)*"
MARKER = re.compile(
    rf" *(?:[\[［【〔⟦] ?(?:{_REFERS}? ?{_NUMBERS} ?(?:†[^\]】\n]*)?)?[\]］】〕⟧]"
    rf"|\({_REFERS}(?: {_NUMBERS}|: ?[^()\n]{{1,80}})\)|</?\|?\w{{1,30}}\|?>)",
    re.IGNORECASE,
)
CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)  # an order hidden in an article may ask for code; it states nothing
ITEM = re.compile(r"^(?:(?:[-*•]|\d{1,2}[.)])\s+)+")  # the sign at the beginning of a list's line
# Also "According to the agency, ...": a small model names whoever stands near. Who really said it is in the quote.
LEAD_IN = re.compile(
    r"^(?:(?:answer|response)\s*:\s*|(?:according to|based on|as stated in) [^,.]{1,60},\s*"
    r"|(?:according to|based on|as stated in) (?:(?:the|these) )?(?:numbered )?(?:passages?|articles?|text)(?: \d+)?,?\s*)",
    re.IGNORECASE,
)


def claims_of(draft: str, *, growing: bool = False) -> list[str]:
    """Cut a draft into sentences, without the markers that the model wrote: ours are numbered by code.

    A line break ends a sentence. Of a growing draft, only sentences are returned that no further word can change.
    """
    if growing and draft[-1:].strip():
        draft = draft.removesuffix(draft.split()[-1])  # it may be half a word, and the next word decides where a sentence ends
    plain = LEAD_IN.sub("", CODE.sub(" ", without_markers(draft)).strip())
    plain = plain[:1].upper() + plain[1:]
    lines = [line[match.end() :] if (match := ITEM.match(line)) else line for line in plain.splitlines()]
    claims = [text for line in lines for a, b in sentences(line) if re.search(r"\w", text := line[a:b])]
    return claims[:-1] if growing else claims


def without_markers(text: str) -> str:
    """Take out what looks like a citation or a control token."""
    found = 1
    while found:  # taking one out may join the halves of another, as in [[1]1]
        text, found = MARKER.subn("", text)
    return text
