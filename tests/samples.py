"""Articles of every format, made in place: nothing is fetched, and each file is as its programs write it."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from datetime import datetime

import docx

WIDTH = 80  # characters of a line of a page


def zipped(files, *, compression=zipfile.ZIP_DEFLATED):
    """Make an archive of names and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def bomb(size, name="a.txt", beside=()):
    """Make an archive of few bytes that unpacks to ``size``: a megabyte of zeros, packed once and repeated."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)) * (size // 2**20) + b"\x03\0"
    data = bytearray(zipped(dict.fromkeys(beside, "<x/>") | {name: packed}, compression=zipfile.ZIP_STORED))
    entry = data.rindex(b"PK\x01\x02")
    struct.pack_into("<H", data, entry + 10, zipfile.ZIP_DEFLATED)
    struct.pack_into("<I", data, entry + 24, size)
    return bytes(data)


def crowded(count):
    """Make an archive of one file that its directory lists ``count`` times."""
    data = zipped({"a.txt": ""}, compression=zipfile.ZIP_STORED)
    entry, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    listed = data[entry:end] * count
    last = bytearray(data[end:])
    struct.pack_into("<I", last, 12, len(listed))
    return data[:entry] + listed + last


def flate_bomb():
    """Make a PDF whose page unpacks twice, to 700 MB."""
    packer = zlib.compressobj(9)
    start = packer.compress(b"BT ") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"(" + b"a" * (2**20 - 6) + b") Tj\n") + packer.flush(zlib.Z_FULL_FLUSH)
    page = zlib.compress(start + block * 700 + packer.flush(), 9)
    return pdf(streams=[page]).replace(b"/FlateDecode", b"[/FlateDecode /FlateDecode]")


def pdf(*pages, title="", created="", extra=b"", streams=None):
    """Make a PDF of pages, each a list of lines; ``streams`` are the compressed contents of pages in their place."""
    streams = streams or [zlib.compress(_page(lines)) for lines in pages]
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for i, stream in enumerate(streams):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            + f"/Contents {5 + 2 * i} 0 R >>".encode(),
            f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n".encode() + stream + b"\nendstream",
        ]
    objects.append(f"<< /Title ({title}) /CreationDate ({created}) >>".encode())
    out, offsets = b"%PDF-1.7\n" + extra, []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode()


def _page(lines):
    shown = "".join(f"({line}) Tj T*\n" for line in lines)
    return f"BT /F1 10 Tf 14 TL 40 750 Td\n{shown}ET".encode("cp1252")


def word(paragraphs, *, title="", created=None, rows=()):
    """Make a Word document of (style, text) and of the rows of a table."""
    document = docx.Document()
    for style, text in paragraphs:
        document.add_paragraph(text, style=style)
    if rows:
        table = document.add_table(len(rows), len(rows[0]))
        for row, texts in zip(table.rows, rows, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
    document.core_properties.title = title
    if created:
        document.core_properties.created = datetime.fromisoformat(created)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def book(chapters, *, title, published):
    """Make an EPUB of XHTML bodies."""
    items = "".join(
        f'<item id="c{i}" href="text/c%20{i}.xhtml" media-type="application/xhtml+xml"/>' for i in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(chapters)))
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title><dc:date>{published}</dc:date>'
        f"</metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
        '<rootfiles><rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'
    )
    page = (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body>'
    )
    files = {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/content.opf": package}
    return zipped(files | {f"OEBPS/text/c {i}.xhtml": f"{page}{chapter}</body></html>" for i, chapter in enumerate(chapters)})


def encrypted_pdf():
    lines = pdf(["Secret"])
    key = (
        b"/Encrypt << /Filter /Standard /V 1 /R 2 /O (" + b"o" * 32 + b") /U (" + b"u" * 32 + b") /P -4 >> /ID [(a) (a)] /Root"
    )
    return lines.replace(b"/Root", key)


def entity_bomb():
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    return f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>&e11;</x>'


def circular_pdf():
    return pdf(["x"]).replace(b"/Root 1 0 R", b"/Prev 9 /Root 1 0 R").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")
