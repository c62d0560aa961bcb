"""A citation that was kept is valid, moved, changed or gone: what the index holds now decides, whatever the file says."""

from __future__ import annotations

import json
import time

import pytest
from fakes import document, put
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.cli import app
from rag.errors import UsageError
from rag.index.reader import Reader
from rag.index.writer import Writer
from rag.report.verify import Standing, read_citations, verify

HALLS = "The expo in Multan had 40 halls."
TEXT = f"News of the expo. {HALLS} Trains were late. Entry was free."
OTHER = "Ships sailed from Gwadar with grain. The council had ordered them."


@pytest.fixture
def index(tmp_path):
    update(tmp_path / "index", document("a.txt", TEXT), document("b.txt", OTHER))
    return tmp_path / "index"


def update(index, *documents, remove=()):
    with Writer.open(index) as store, store.transaction() as transaction:
        transaction.remove(remove)
        put(store, *documents)


def citation(cited=HALLS, *, of=TEXT, source="a.txt", **changes):
    start = of.index(cited)
    known = {"marker": 1, "source": source, "title": "t", "published": None, "start": start, "end": start + len(cited)}
    return {**known, "quote": cited, "support": 1.0, "sha256": document(source, of).sha256, "state": "unchanged", **changes}


def answer(*citations):
    return {"schema": 1, "id": None, "question": "q?", "text": "t", "status": "answered", "citations": list(citations)}


def written(*records):
    return "\n".join(json.dumps(record) for record in records).encode()


def found(index, *citations):
    with Reader.open(index) as store:
        return list(verify(read_citations(written(answer(*citations))), store))


def standing(index, *citations):
    return [each.standing for each in found(index, *citations)]


def now(index, cited):
    """Where the quote, or what is nearest to it, stands now: source and text, checked against the store."""
    (only,) = found(index, cited)
    with Reader.open(index) as store:
        text = store.embedded(only.now.source)[0][0].document.text
    assert text[only.now.start : only.now.end] == only.now.quote
    return only.standing, only.now.source, only.now.quote


def test_what_stands_where_it_was_cited_is_valid(index):
    assert standing(index, citation(), citation("Entry was free.")) == [Standing.VALID, Standing.VALID]


def test_a_change_elsewhere_in_the_file_leaves_a_citation_valid(index):
    update(index, document("a.txt", TEXT.replace("free", "cheap")))
    assert standing(index, citation()) == [Standing.VALID]


def test_a_renamed_file_moves_its_citations(index):
    update(index, document("z/new.txt", TEXT), remove=["a.txt"])
    assert now(index, citation()) == (Standing.MOVED, "z/new.txt", HALLS)


def test_a_quote_that_moved_within_its_file_is_found_there(index):
    update(index, document("a.txt", f"Late news. {TEXT}"), document("copy.txt", TEXT))
    assert now(index, citation()) == (Standing.MOVED, "a.txt", HALLS)


def test_a_quote_that_moved_to_another_file_is_found_there(index):
    update(index, document("a.txt", TEXT.replace(HALLS, "")), document("c.txt", f"Old pages. {HALLS}"))
    assert now(index, citation()) == (Standing.MOVED, "c.txt", HALLS)


def test_a_file_with_the_same_bytes_is_looked_at_though_no_word_leads_there(index):
    update(index, document("new.txt", "?! …. So."), remove=["a.txt"])
    cited = citation("…", of="?! …. So.")
    assert now(index, cited) == (Standing.MOVED, "new.txt", "…")


def test_an_edited_sentence_is_shown_as_it_reads_now(index):
    update(index, document("a.txt", TEXT.replace("40 halls", "41 large halls")))
    assert now(index, citation()) == (Standing.CHANGED, "a.txt", "The expo in Multan had 41 large halls.")


def test_a_sentence_edited_in_a_renamed_file_is_shown_as_it_reads_now(index):
    update(index, document("new.txt", TEXT.replace("40 halls", "41 halls")), remove=["a.txt"])
    assert now(index, citation()) == (Standing.CHANGED, "new.txt", "The expo in Multan had 41 halls.")


def test_what_is_nowhere_is_gone_though_another_article_has_some_of_its_words(index):
    update(index, document("a.txt", "News of the expo. Trains were late."), document("c.txt", HALLS.replace("40", "41")))
    assert standing(index, citation()) == [Standing.GONE]
    update(index, remove=["a.txt", "c.txt"])
    assert standing(index, citation()) == [Standing.GONE]


@pytest.mark.parametrize(
    "lie",
    [
        {"start": 0, "end": len(HALLS)},
        {"source": "b.txt"},
        {"source": "../../etc/passwd"},
        {"source": "\ud800\0"},
        {"sha256": "'"},
    ],
)
def test_a_citation_that_lies_about_its_place_is_never_valid_for_it(index, lie):
    assert standing(index, citation(**lie)) == [Standing.VALID if "sha256" in lie else Standing.MOVED]


@pytest.mark.parametrize(
    "quote", ["never said \ud800 by anybody", "\0", "Trains\nwere late.", "The expo in Multan had 40 halls!"]
)
def test_words_that_no_article_holds_are_never_valid(index, quote):
    assert standing(index, citation(quote=quote, end=TEXT.index(HALLS) + len(quote))) != [Standing.VALID]


def test_a_quote_of_a_megabyte_is_decided_within_two_seconds(index):
    update(index, document("long.txt", f"{'Trains were late today ' * 20_000}."))
    started = time.process_time()
    assert standing(index, *[citation(f"{word} x " * 200_000, of=f"{word} x " * 200_000) for word in ("trains", "late")]) == [
        Standing.GONE,
        Standing.GONE,
    ]
    assert time.process_time() - started < 2


def test_answers_are_read_however_they_are_laid_out():
    one, two = answer(citation()), answer(citation(), citation(marker=2))
    refusal, error = answer(), {"schema": 1, "id": 3, "error": "the question is empty"}
    for content in (
        written(one, refusal, error, two),
        b"\xef\xbb\xbf" + written(one, refusal, error, two) + b"\n\n",
        b"\r\n\t".join(json.dumps(record, indent=2).encode() for record in (one, refusal, error, two)),
    ):
        assert [(c.answer, c.marker) for c in read_citations(content)] == [(1, 1), (4, 1), (4, 2)]
    assert read_citations(b"") == []


@pytest.mark.parametrize(
    "content",
    [
        b"no JSON",
        b"\xff\xfe",
        b'{"schema": 1, "citations": [',
        b"[" * 100_000,
        b"9" * 10_000,
        b"[]",
        b"null",
        b"{}",
        written({"schema": 2, "citations": []}),
        written({"schema": 1}),
        written({"schema": 1, "citations": {}}),
        written(answer("x")),
        *(
            written(answer({**citation(), name: value}))
            for name in ("source", "start", "quote", "sha256")
            for value in (None, [])
        ),
        written(answer(citation(start=-5))),
        written(answer(citation(start=True))),
        written(answer(citation(end=10**30))),
        written(answer(citation(quote=""))),
        written(answer(citation())) + b" junk",
    ],
)
def test_what_is_no_answer_is_one_clear_error(content):
    with pytest.raises(UsageError, match=r"`rag ask --json` printed|not as it was printed") as caught:
        read_citations(content)
    assert "\n" not in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=50) | st.builds(lambda name, value: written(answer({**citation(), name: value})),
       st.sampled_from(sorted(citation())), json_values))  # fmt: skip
def test_any_file_is_read_or_refused_and_any_citation_decided(shared_index, content):
    try:
        citations = read_citations(content)
    except UsageError:
        return
    with Reader.open(shared_index) as store:
        assert all(each.standing in Standing for each in verify(citations, store))


@pytest.fixture(scope="module")
def shared_index(tmp_path_factory):
    index = tmp_path_factory.mktemp("shared") / "index"
    update(index, document("a.txt", TEXT), document("b.txt", OTHER))
    return index


def test_the_command_shows_each_citation_and_exits_with_1_unless_all_are_valid(index, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["rag"])
    file = tmp_path / "answers.json"

    def run():
        code = app.run(["verify", str(file), "--index", str(index)])
        return code, capsys.readouterr().out.splitlines()

    file.write_bytes(written(answer(citation(), citation("Entry was free.", marker=2)), answer()))
    code, lines = run()
    assert (code, lines[-1]) == (0, "2 citations: 2 valid, 0 moved, 0 changed, 0 gone")
    update(index, document("a.txt", f"So. {TEXT.replace('40', '41').replace('Trains were late.', '')}"))
    file.write_bytes(written(answer(citation(), citation("Entry was free.", marker=2)), answer(citation("Trains were late."))))
    code, lines = run()
    assert (code, lines[-1]) == (1, "3 citations: 0 valid, 1 moved, 1 changed, 1 gone")
    assert lines[:3] == [
        "changed  answer 1, [1]: a.txt, characters 18-50",
        f"         “{HALLS}”",
        "         now a.txt, characters 22-54: “The expo in Multan had 41 halls.”",
    ]
    for hostile in (b"{", None):
        file.write_bytes(hostile) if hostile else file.unlink()
        assert app.run(["verify", str(file), "--index", str(index)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_hostile_citation_reaches_the_terminal_as_text(index, tmp_path, capsys):
    file = tmp_path / "answers.json"
    file.write_bytes(written(answer(citation("\x1b]0;owned\x07 \u202e\n", of="\x1b]0;owned\x07 \u202e\n", source="\x1b[31m"))))
    assert app.run(["verify", str(file), "--index", str(index)]) == 1
    assert not set("\x1b\x07\u202e") & set(capsys.readouterr().out)
