"""Reads mail: one message (.eml), or a mailbox of many (.mbox)."""

from __future__ import annotations

import re
from email import policy
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING

from rag.errors import CorpusError
from rag.files.decoding import decode
from rag.files.formats import MAX_BYTES, Content, Member, titled
from rag.files.markup import html_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

SHOWN = ("From", "To", "Date")
FROM_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)


def read_mail(data: bytes, name: str) -> Content:
    """Read a message: sender, receiver, date and text, without its attachments."""
    message = BytesParser(policy=policy.default).parsebytes(data)
    if not any(message[header] for header in ("From", "Subject", "Date", "Received")):
        raise CorpusError("not a mail, whatever its name says; save it again, or as text")
    head = "\n".join(f"{header}: {' '.join(str(message[header]).split())}" for header in SHOWN if message[header])
    body = _body(message)
    if not body:
        raise CorpusError("no text in it; fill it or delete it")
    return titled("\n\n".join(filter(None, (head, body))), str(message["Subject"] or ""), _date(message), name)


def _body(message: EmailMessage) -> str:
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        raw = part.get_payload(decode=True) if part is not None else None
        if isinstance(raw, bytes) and raw.strip() and part is not None:
            text = decode(raw, part.get_content_charset("utf-8"))
            return (html_words(text) if kind == "html" else text).strip()
    return ""


def _date(message: EmailMessage) -> str | None:
    try:
        return parsedate_to_datetime(str(message["Date"])).date().isoformat()
    except ValueError:
        return None


def messages(file: IO[bytes]) -> Iterator[Member]:
    """Yield the messages of a mailbox, numbered from 1.

    Each message begins with a line that starts with ``From `` and follows a blank line (the mboxrd form).
    """
    lines: list[bytes] = []
    number, size, blank = 0, 0, True
    for line in file:
        if blank and line.startswith(b"From "):
            if number:
                yield _message(number, lines, size)
            number, size, lines = number + 1, 0, []
        elif not number:
            raise CorpusError("not a box of mails, whatever its name says; export it again")
        else:
            size += len(line)
            if size <= MAX_BYTES[".eml"]:
                lines.append(line)
        blank = not line.strip()
    if number:
        yield _message(number, lines, size)


def _message(number: int, lines: list[bytes], size: int) -> Member:
    if size > MAX_BYTES[".eml"]:
        return Member.refused(str(number), f"a mail of {size / 1e6:,.0f} MB; save its text alone")
    data = FROM_QUOTED.sub(rb"\1", b"".join(lines))
    return Member(str(number), lambda: data, ".eml")
