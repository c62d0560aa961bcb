r"""Show text without the unseen characters that steer a reader's screen, each way of showing it by its own rule.

Article text, file names and questions are data. A control character, an override of the reading direction or half of a
surrogate pair in them must not reach a terminal, a page or a program as what it is.
"""

from __future__ import annotations

import re
from html import escape

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1, except tab and line feed
_DIRECTIONS = "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates
_MARKS = "\u061c\u200e\u200f"  # direction marks: a page needs them in Arabic and Hebrew text, and shows them rightly
_SEPARATORS = "\u2028\u2029"  # some readers end a line there
_HALVES = "\ud800-\udfff"  # halves of surrogate pairs: no encoding takes them
_TAGS = "\U000e0000-\U000e007f"
_FORMATS = "\ufeff\ufff9-\ufffb"

_ON_A_PAGE = re.compile(f"[{_CONTROLS}{_DIRECTIONS}{_HALVES}{_TAGS}]")
_ON_A_TERMINAL = re.compile(f"[{_CONTROLS}{_DIRECTIONS}{_MARKS}{_SEPARATORS}{_FORMATS}{_HALVES}]")
_IN_JSON = re.compile(f"[\x7f-\x9f{_DIRECTIONS}{_MARKS}{_SEPARATORS}{_HALVES}]")
# What a reader of an article does not see, the model does not read: soft hyphens, zero-width spaces, bidirectional controls,
# tags, and variation selectors except the one of emoji. The joiners U+200C and U+200D stay: scripts and emoji need them.
_UNSEEN = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0e\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def on_a_page(text: str) -> str:
    r"""Return the text with each character that steers a page written out: U+202E as a backslash and ``u202e``."""
    return _ON_A_PAGE.sub(_written_out, text)


def as_html(text: str) -> str:
    """Return the text of :func:`on_a_page`, escaped for HTML."""
    return escape(on_a_page(text))


def on_a_terminal(text: str) -> str:
    r"""Return the text with each character that a terminal would obey written out: ESC as ``\x1b``."""
    return _ON_A_TERMINAL.sub(_written_short, text.replace("\r\n", "\n"))


def in_json(text: str) -> str:
    r"""Return the JSON with the characters escaped as ``\uXXXX`` at which some readers split lines or change direction."""
    return _IN_JSON.sub(_written_out, text)


def to_a_model(text: str) -> str:
    """Return the text without the characters that a reader does not see."""
    return _UNSEEN.sub("", text)


def _written_out(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _written_short(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
