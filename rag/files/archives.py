"""Opens zip archives, and the office formats that are zip archives inside, unless they would unpack to far too much."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from functools import partial
from typing import IO, TYPE_CHECKING

from rag.errors import CorpusError
from rag.files.formats import MAX_ENTRIES, Member, check_expansion, check_size, suffix_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCRYPTED = 0x1  # the flag that an encrypted entry has
MAX_PART = 100_000_000  # bytes; a part is unpacked in memory


def open_archive(file: IO[bytes]) -> zipfile.ZipFile:
    """Open an archive whose entries declare no larger sizes than ``check_expansion`` allows.

    The declared sizes can be trusted, because ``zipfile`` unpacks no byte more than an entry declares.

    :raises CorpusError: the archive is broken, has too many entries, or is a zip bomb.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise CorpusError(f"not readable as an archive ({error}); make it again") from None
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise CorpusError(f"{len(entries):,} entries, more than {MAX_ENTRIES:,}; split it into smaller archives")
    packed = file.seek(0, 2)
    for entry in entries:
        check_expansion(entry.compress_size, entry.file_size)
    check_expansion(packed, sum(entry.file_size for entry in entries))
    return archive


def read_entry(archive: zipfile.ZipFile, name: str | zipfile.ZipInfo) -> bytes:
    """Unpack one entry.

    :raises CorpusError: the entry is missing, encrypted or broken.
    """
    try:
        entry = archive.getinfo(name) if isinstance(name, str) else name
        if entry.flag_bits & ENCRYPTED:
            raise CorpusError("encrypted; unpack it with its password and put the file there instead")
        return archive.read(entry)
    except KeyError:
        raise CorpusError(f"nothing named {name} in it; save it again, or as text") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise CorpusError(f"broken in the archive ({error}); make the archive again") from None


def members(file: IO[bytes]) -> Iterator[Member]:
    """Yield the articles of an archive, sorted by name; hidden files and folders are left out.

    Where two entries have the same name, the later one counts.

    :raises CorpusError: the archive cannot be opened.
    """
    archive = open_archive(file)
    entries = {_name(entry): entry for entry in archive.infolist() if not entry.is_dir()}
    for name, entry in sorted(entries.items()):
        if not any(part.startswith((".", "__MACOSX")) for part in name.split("/")):
            yield _member(archive, name, entry)


def _member(archive: zipfile.ZipFile, name: str, entry: zipfile.ZipInfo) -> Member:
    try:
        if (suffix := suffix_of(name)) == ".zip":
            raise CorpusError("an archive inside an archive; unpack the outer one")
        check_size(suffix, entry.file_size)
        if entry.file_size > MAX_PART:
            raise CorpusError(f"{entry.file_size / 1e6:,.0f} MB, more than {MAX_PART // 10**6:,} inside an archive; unpack it")
    except CorpusError as error:
        return Member.refused(name, str(error))
    return Member(name, partial(read_entry, archive, entry), suffix)


def _name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's path without ``..`` and the like. It is shown to the user and never used as a path on disk."""
    return posixpath.normpath("/" + entry.filename.replace("\\", "/")).lstrip("/")
