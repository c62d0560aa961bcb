"""Reads tables of articles (.csv, .tsv, .jsonl): each row is an article, and the names of the columns tell its parts."""

from __future__ import annotations

import csv
import io
import json
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from rag.errors import CorpusError
from rag.files.decoding import decode, encoding_of
from rag.files.formats import MAX_BYTES, Content, Member, titled
from rag.text import newspage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS = {  # the names of the columns by what they hold, the likeliest first
    "text": "text body content article story maintext full_text fulltext article_text article_body description summary".split(),
    "title": "title headline heading subject name".split(),
    "date": "published date published_at published_date publish_date publication_date pub_date pubdate date_published "
    "datetime timestamp created_at created".split(),
    "url": "url link source_url article_url href".split(),
}
MAX_FIELD = MAX_BYTES[".txt"]
SAMPLE = 65_536  # the encoding is judged by this many bytes


def read_row(data: bytes, name: str) -> Content:
    """Read one row, which comes as JSON; an address that it names is put below the text."""
    try:
        row = json.loads(data)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise CorpusError("not a JSON object; mend the line or delete it")
    fields = {_key(name): value for name, value in row.items()}
    text = _text(fields, "text")
    if not text.strip():
        raise CorpusError(f"no text in it, in none of the columns {', '.join(COLUMNS['text'])}; fill or rename one")
    url = _text(fields, "url").strip()
    return titled(f"{text}\n\n{url}" if url else text, _text(fields, "title"), newspage.parse_date(_text(fields, "date")), name)


def _text(fields: Mapping[str, Any], column: str) -> str:
    values = (fields.get(name) for name in COLUMNS[column])
    return next((str(value) for value in values if isinstance(value, str | int) and str(value).strip()), "")


def csv_rows(file: IO[bytes]) -> Iterator[Member]:
    """Yield the rows below the line of names, numbered from 1, without empty ones."""
    yield from _table(file, "")


def tsv_rows(file: IO[bytes]) -> Iterator[Member]:
    """Yield the rows of a table whose separator is the tab, as :func:`csv_rows` does."""
    yield from _table(file, "\t")


def _table(file: IO[bytes], separator: str) -> Iterator[Member]:
    encoding = encoding_of(file.read(SAMPLE))
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="")
    lines = iter(lambda: text.readline(MAX_FIELD), "")
    head = next(lines, "")
    separator = separator or max(",;\t|", key=head.count)
    csv.field_size_limit(MAX_FIELD)
    rows = csv.reader(chain([head], lines), delimiter=separator, strict=True)
    try:
        names = [_key(name) for name in next(rows, [])]
        if not set(names) & set(COLUMNS["text"]):
            wanted = ", ".join(COLUMNS["text"])
            raise CorpusError(f"no column of articles in it (the first line names none of {wanted}); rename one")
        for number, row in enumerate(rows, 1):
            if any(field.strip() for field in row):
                named = {name: _mended(field, encoding) for name, field in zip(names, row, strict=False)}
                data = json.dumps(named).encode()
                yield Member(str(number), lambda data=data: data, ".row")  # type: ignore[misc]
    except csv.Error as error:
        raise CorpusError(f"not readable as a table after its line {rows.line_num:,} ({error}); mend that line") from None


def json_lines(file: IO[bytes]) -> Iterator[Member]:
    """Yield the lines, numbered from 1, without empty ones."""
    for number, line in enumerate(iter(lambda: file.readline(MAX_FIELD), b""), 1):
        if line.strip():
            yield Member(str(number), lambda line=line: line, ".row")  # type: ignore[misc]


def _key(name: str) -> str:
    return name.strip("\ufeff \t").lower().replace(" ", "_").replace("-", "_")


def _mended(field: str, encoding: str) -> str:
    """Return the field, decoded anew if its bytes are not in the encoding of the top of the table."""
    broken = any("\udc80" <= character <= "\udcff" for character in field)
    return decode(field.encode(encoding, "surrogateescape")) if broken else field
