"""Turns bytes into text: finds the encoding, makes newlines uniform, drops control characters."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from rag.errors import CorpusError

MAX_CONTROL_SHARE = 0.005  # a file with a larger share of control bytes is binary; binary formats reach 0.1

BOMS = (  # UTF-32 stands before UTF-16, because its mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Detection chooses from these encodings, and from equally likely ones it takes the first. Without this list it takes short
# French texts for cp775.
CHARSETS = "cp1252 gb18030 cp932 big5 cp949 euc_jp cp1251 koi8_r cp1256 cp1250 iso8859_2 cp1254 cp1253 cp1255 cp874".split()
# The encodings that pages declare, and those that browsers read them in.
DECLARED = {
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
}

NEWLINE = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ud800-\udfff]")
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\x1a\x1b"))


def decode(data: bytes, declared: str = "utf-8") -> str:
    """Return the text of a file's bytes; ``declared`` is the encoding that the file names for itself.

    :raises CorpusError: the bytes are not text, their encoding is not known, or the text holds no words.
    """
    return clean(_decode_bytes(data, declared))


def clean(text: str) -> str:
    """Return the text with every newline as ``LF`` and without control characters and lone surrogates.

    :raises CorpusError: nothing is left.
    """
    text = CONTROL.sub("", NEWLINE.sub("\n", text))
    if not text.strip():
        raise CorpusError("no text in it; fill it or delete it")
    return text


def _decode_bytes(data: bytes, declared: str) -> str:
    for bom, encoding in BOMS:
        if data.startswith(bom):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                raise CorpusError(f"begins as {encoding.upper()} but is not; save it as UTF-8") from None
    if data.startswith(b"%PDF-") or len(data) - len(data.translate(None, CONTROL_BYTES)) > len(data) * MAX_CONTROL_SHARE:
        raise CorpusError("binary data, not text; export it as text or move it away")
    for encoding in ("utf-8", DECLARED.get(declared, declared)):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    lenient = data.decode("utf-8", "replace")
    broken = lenient.count("\ufffd")
    if sum(character > "\x7f" for character in lenient) > 10 * broken:  # UTF-8 with a few broken bytes, not another encoding
        return lenient
    return _detect(data)


def encoding_of(sample: bytes) -> str:
    """Return the encoding of a text, judged by its beginning; the caller must cope with other bytes further down."""
    for bom, encoding in BOMS:
        if sample.startswith(bom):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # a character may be cut at the sample's end
    except UnicodeDecodeError:
        best = from_bytes(sample, cp_isolation=CHARSETS).best()
        return best.encoding if best is not None else "utf-8"
    return "utf-8"


def _detect(data: bytes) -> str:
    guesses = from_bytes(data, cp_isolation=CHARSETS)
    best = guesses.best()
    if best is None:
        raise CorpusError("text in an unknown encoding; save it as UTF-8")
    even = [guess for guess in guesses if (guess.chaos, guess.coherence) == (best.chaos, best.coherence)]
    return str(min(even, key=lambda guess: CHARSETS.index(guess.encoding)))
