"""Brings the index up to date with a folder of articles, at the cost of what changed.

A text that the index holds is never embedded again, wherever it moves: within its file, to another file, to another name.

The index mirrors exactly the given folder. A file that cannot be indexed is reported and its former content removed, because
nothing stale may answer; but a run that would leave nothing at all is refused. Each batch is one commit, so a kill or Ctrl-C
loses at most one batch. A rebuild, or a move to another folder, is one commit as a whole: readers see the old content or the
new, never a mix. The store has a note of each file that is no document, which is a container of many or was refused; as long
as that file does not change, it is not read again.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.errors import CorpusError, IndexMismatch, ModelError
from rag.files.folder import Note, find_files, read_file
from rag.files.sandbox import Extractor
from rag.index.file_state import UNTRUSTED, Look, file_of, is_unchanged, look
from rag.index.passages import split
from rag.index.rows import place_of
from rag.index.schema import FOLDERS, FileState, Noted
from rag.index.vector_file import Vectors
from rag.index.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rag.protocols import Encoder
    from rag.types import Document, Passage

BATCH = 512  # passages that are embedded and committed together


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did, in documents; ``embedded`` counts the texts that the encoder was given.

    ``skipped`` holds source and reason of the files that could not be indexed; ``removed`` includes those of them that were
    indexed before. ``documents`` and ``passages`` are what the index now holds.
    """

    added: int
    changed: int
    removed: int
    renamed: int
    unchanged: int
    skipped: tuple[tuple[str, str], ...]
    documents: int
    passages: int
    embedded: int
    seconds: float


def index_folder(
    *folders: Path,
    store_folder: Path,
    encoder: Encoder,
    count_tokens: Callable[[str], int],
    passage_tokens: int,
    progress: Callable[[int, int, int], None] | None = None,
    told: Callable[[str, str], None] | None = None,
    rebuild: bool = False,
) -> Summary:
    """Make the index in ``store_folder`` hold what the folders hold.

    ``passage_tokens`` is the budget of a passage in the encoder's tokens, which ``count_tokens`` counts. ``progress`` is called
    with the number of files done, of all files, and of texts embedded so far; ``told`` with what became of a document
    (``added``, ``changed``, ``renamed`` or ``removed``) and its source, once that is committed or waits for the only commit.

    :raises CorpusError: a folder cannot be read, two have one name, or there is no article in them; the index stays as it was.
    :raises IndexMismatch: the index was made with another encoder or budget, and ``rebuild`` was not asked for.
    :raises StoreError: the index cannot be written; what was committed stays.
    """
    started = time.perf_counter()
    files = files_of(folders, store_folder)
    roots = [folder.resolve() for folder in folders]
    home = FOLDERS.join(os.fsencode(root).decode(errors="backslashreplace") for root in roots)
    with Writer.open(store_folder, rebuild=rebuild) as writer, Extractor() as extractor:
        meta = writer.meta()
        if meta.dimension and not rebuild:
            _require_same(writer, encoder.identity, passage_tokens)
        moved = meta.folder not in ("", home)
        with writer.transaction() if rebuild or moved else nullcontext():  # those of the batches join it
            if rebuild or (meta.encoder, meta.folder, meta.passage_tokens) != (encoder.identity, home, passage_tokens):
                with writer.transaction() as transaction:
                    if rebuild:
                        transaction.clear()
                    transaction.configure(encoder=encoder.identity, folder=home, passage_tokens=passage_tokens)
            run = _Run(
                writer=writer,
                encoder=encoder,
                read=lambda source, path: read_file(path, source, roots, extractor),
                cut=lambda document: _cut(document, passage_tokens, count_tokens),
                progress=progress or (lambda _done, _total, _embedded: None),
                told=told or (lambda _what, _source: None),
                files=files,
                roots=roots,
                old=writer.state(),
                noted=writer.noted(),
                trust_times=not moved,
            )
            run.go()
        writer.publish()
        Vectors.write(writer, store_folder)
        return run.summary(time.perf_counter() - started)


def files_of(folders: Sequence[Path], store_folder: Path) -> dict[str, Path]:
    """Return by source the files that an index is made from: those of the folders, without those in the index's own folder.

    :raises CorpusError: a folder cannot be read, or there is no file.
    """
    own = os.path.join(store_folder.resolve(), "")  # noqa: PTH118 - with the separator
    files = {source: path for source, path in find_files(folders).items() if not os.fspath(path).startswith(own)}
    if not files:
        named = " or ".join(map(str, folders))
        raise CorpusError(f"no article in {named}, so the index in {store_folder} stays as it was; name another folder")
    return files


def _cut(document: Document, passage_tokens: int, count_tokens: Callable[[str], int]) -> list[Passage]:
    """Cut a document into passages.

    :raises CorpusError: it holds nothing to index.
    """
    try:
        f"{document.source}{document.title}{document.published}{document.text}".encode()
    except UnicodeEncodeError:
        raise CorpusError("holds half characters, which cannot be stored; convert it to UTF-8") from None
    if passages := split(document, budget=passage_tokens, count_tokens=count_tokens):
        return passages
    raise CorpusError("no text in it to index; fill it or delete it")


def _require_same(writer: Writer, encoder: str, passage_tokens: int) -> None:
    writer.require_encoder(encoder)
    stored = writer.meta().passage_tokens
    if stored != passage_tokens:
        raise IndexMismatch(
            f"the index was made with passages of {stored} tokens, not {passage_tokens}; "
            "run `rag index FOLDER --rebuild`, or set passage_tokens back"
        )


class _Waiting(NamedTuple):
    """A document that waits for its batch."""

    document: Document
    passages: list[Passage]
    look: Look


@dataclass(slots=True)
class _Run:
    """One pass over a folder: what it works with, what waits to be committed, and what it did."""

    writer: Writer
    encoder: Encoder
    read: Callable[[str, Path], Iterator[Document | Note]]
    cut: Callable[[Document], list[Passage]]
    progress: Callable[[int, int, int], None]
    told: Callable[[str, str], None]
    files: Mapping[str, Path]
    roots: Sequence[Path]
    old: Mapping[str, FileState]
    noted: Mapping[str, Noted]
    trust_times: bool

    waiting: list[_Waiting] = field(default_factory=list)
    touched: dict[str, int] = field(default_factory=dict)  # new modification time by source
    renamed: list[tuple[str, _Waiting]] = field(default_factory=list)  # the old source, and the document as it is now
    notes: dict[str, Noted] = field(default_factory=dict)  # all notes that hold when the run is done
    inside: dict[str, set[str]] = field(default_factory=dict)  # known sources by the container that they are in
    gone: set[str] = field(default_factory=set)  # documents that no file has any more
    twins: dict[str, list[str]] = field(default_factory=dict)  # documents by hash; those that are gone stand last
    skipped: dict[str, str] = field(default_factory=dict)  # reason by source
    did: Counter[str] = field(default_factory=Counter)  # documents by what became of them
    done: int = 0
    unchanged: int = 0
    embedded: int = 0

    def go(self) -> None:
        """Index every file, then remove what is gone."""
        for source in (*self.old, *self.noted):
            if (container := file_of(source, self.files.__contains__)) not in ("", source):
                self.inside.setdefault(container, set()).add(source)
        self.gone = self.old.keys() - self.files.keys() - set().union(*self.inside.values())
        for source in sorted(self.old, key=lambda source: source in self.gone):
            self.twins.setdefault(self.old[source].sha256, []).append(source)
        for source, path in self.files.items():
            seen: set[str] = set()
            try:
                self._take(source, path, seen)
            except OSError as error:
                self.skipped[source] = f"cannot be read ({error.strerror or error}); check the file and its rights"
            self.gone |= (self.inside.get(source, set()) & self.old.keys()) - seen
            if not (self.waiting and self.waiting[-1].document.source == source):
                self._report()
            self._commit_full()
        self._commit_waiting()
        self._finish()

    def _take(self, source: str, path: Path, seen: set[str]) -> None:
        """Decide what became of one file and of all that is in it; add the documents that are there to ``seen``."""
        now = look(path, self.roots)
        known, noted = self.old.get(source), self.noted.get(source)
        if now and known and is_unchanged(path, now, known, trust_times=self.trust_times):
            self.unchanged += 1
            if known.mtime_ns != now.mtime_ns:
                self.touched[source] = now.mtime_ns
            return
        inside = self.inside.get(source, set())
        if now and noted and is_unchanged(path, now, noted.state, trust_times=self.trust_times):
            self._keep_noted(source, inside, now)
            seen |= inside
            return
        now = now or Look(0, UNTRUSTED)  # what is no regular file is refused when it is read
        if noted and inside:  # a note would say that it was read to its end
            with self.writer.transaction() as transaction:
                transaction.forget([source])
        for article in self.read(source, path):
            if isinstance(article, Note):
                self._skip(article, now)
            else:
                seen.add(article.source)
                self._take_article(article, now)
            if article.source != source:
                self._commit_full()

    def _take_article(self, document: Document, now: Look) -> None:
        """Decide what became of one document that was read."""
        source, known = document.source, self.old.get(document.source)
        if known is not None and known.sha256 == document.sha256 and source not in self.files:
            self.unchanged += 1
            self.gone.discard(source)
            return
        try:
            waiting = _Waiting(document, self.cut(document), now)
        except CorpusError as error:
            self._skip(Note(source, str(error), document.sha256), now)
            return
        same_bytes = self.twins.get(document.sha256)
        if known is None and same_bytes and same_bytes[-1] in self.gone:
            donor = same_bytes[-1]
            if _equal_but_for_source(self.writer.embedded(donor)[0], waiting.passages):
                self.gone.remove(same_bytes.pop())
                self.renamed.append((donor, waiting))
                return
        self.gone.discard(source)
        self.waiting.append(waiting)

    def _skip(self, note: Note, now: Look) -> None:
        if note.reason:
            self.skipped[note.source] = note.reason
        if note.sha256:
            self.notes[note.source] = Noted(FileState(*now, note.sha256), note.reason)

    def _keep_noted(self, source: str, inside: set[str], now: Look) -> None:
        """Keep what is known of a container, or of a file that was refused."""
        self.unchanged += len(inside & self.old.keys())
        for each in (inside | {source}) & self.noted.keys():
            noted = self.noted[each]
            if noted.reason:
                self.skipped[each] = noted.reason
            self.notes[each] = noted._replace(state=noted.state._replace(mtime_ns=now.mtime_ns))

    def _report(self, *, done: int = 1) -> None:
        self.done += done
        self.progress(self.done, len(self.files), self.embedded)

    def _tell(self, what: str, source: str) -> None:
        self.did[what] += 1
        self.told(what, source)

    def _commit_full(self) -> None:
        if sum(len(waiting.passages) for waiting in self.waiting) >= BATCH:
            self._commit_waiting()

    def _commit_waiting(self) -> None:
        """Embed and commit a batch."""
        if not self.waiting:
            return
        vectors = self._vectors(passage.headed for waiting in self.waiting for passage in waiting.passages)
        with self.writer.transaction() as transaction:
            for document, passages, now in self.waiting:
                stacked = np.stack([vectors[passage.headed] for passage in passages])
                transaction.put(document, passages, stacked, size=now.size, mtime_ns=now.mtime_ns)
        for document, *_ in self.waiting:
            self._tell("changed" if document.source in self.old else "added", document.source)
            self._report(done=document.source in self.files)
        self.waiting.clear()

    def _vectors(self, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vector of each text; those that the index does not know are embedded."""
        texts = dict.fromkeys(texts)
        known = self.writer.known_vectors(texts)
        new = [text for text in texts if text not in known]
        for batch in (new[start : start + BATCH] for start in range(0, len(new), BATCH)):
            vectors = self.encoder.encode(batch)
            if len(vectors) != len(batch) or not np.isfinite(vectors).all():
                raise ModelError(f"encoder {self.encoder.identity} gave vectors that are not numbers; run `rag doctor`")
            known.update(zip(batch, vectors, strict=True))
            self.embedded += len(batch)
            self._report(done=0)
        return known

    def _finish(self) -> None:
        """Commit what needs no embedding. That is done last, so that the text of a file that moved is never missing."""
        if not (self.unchanged or self.renamed or self.did):
            source, reason = next(iter(self.skipped.items()))
            raise CorpusError(f"no file can be indexed, so the index stays as it was; {source}: {reason}")
        removed = sorted(self.gone | (self.skipped.keys() & self.old.keys()))
        new_notes = {source: noted for source, noted in self.notes.items() if noted != self.noted.get(source)}
        old_notes = self.noted.keys() - self.notes.keys()
        if not (self.touched or self.renamed or removed or new_notes or old_notes or self.writer.has_spare()):
            return
        with self.writer.transaction() as transaction:
            for source, mtime_ns in self.touched.items():
                transaction.touch(source, mtime_ns=mtime_ns)
            for source, moved in self.renamed:
                transaction.rename(source, moved.document, size=moved.look.size, mtime_ns=moved.look.mtime_ns)
            transaction.remove(removed)
            transaction.forget(old_notes)
            for source, noted in new_notes.items():
                transaction.note(source, noted)
            transaction.forget_spare()
        for _, moved in self.renamed:
            self._tell("renamed", moved.document.source)
        for source in removed:
            self._tell("removed", source)

    def summary(self, seconds: float) -> Summary:
        """Return what was done, and what the index holds now."""
        counts = self.writer.counts()
        return Summary(
            added=self.did["added"],
            changed=self.did["changed"],
            removed=self.did["removed"],
            renamed=self.did["renamed"],
            unchanged=self.unchanged,
            skipped=tuple(self.skipped.items()),
            documents=counts.documents,
            passages=counts.passages,
            embedded=self.embedded,
            seconds=seconds,
        )


def _equal_but_for_source(old: Sequence[Passage], new: Sequence[Passage]) -> bool:
    """Return whether a file gives the same document at its new path; its format and its title may come from its name."""
    if [place_of(passage) for passage in old] != [place_of(passage) for passage in new]:
        return False
    return replace(old[0].document, source=new[0].document.source) == new[0].document
