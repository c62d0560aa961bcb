"""Answers as HTML: everything from outside is text, and every marker leads to its sentence."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from fakes import FakeEncoder, ListRetriever, ScriptedGenerator, decided, document
from hypothesis import given
from hypothesis import strategies as st
from payloads import Seen

from rag.answer.assistant import Assistant
from rag.types import Answer, Check, CheckName, Citation, Claim, Found, Hit, Passage, State, Status, Verdict
from rag.web import answer_html, source_html
from rag.web.conversation import Conversation, Turn

TEXT = "The expo opened on Monday.\n\nIt had 2,500 exhibits. Entry was free.\nNobody left early."
PAYLOADS = [
    "<script>alert(1)</script>",
    "</p></article><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus=alert(1) '",
    "<svg/onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<iframe src=https://evil.example></iframe>",
    "<style>@import url(https://evil.example)</style>",
    "![x](https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} $$\\href{javascript:alert(1)}{x}$$",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "</mark><mark class=current>",
    "\x1b]0;owned\x07\x1b[31mred",
    "invoice\u202etxt.exe\u202c",
    "\U000e0041\U000e0042 hidden tags",
    "half \ud83d of a pair",
]


def citation(marker, quote, doc, **changes):
    start = doc.text.index(quote)
    values = (doc.source, start, start + len(quote), quote, marker, doc.title, doc.published, 1.0, doc.sha256)
    return replace(Citation(*values), **changes)


EXPO = replace(document("news/a.txt", TEXT, title="The expo"), published="2024-09-06")


IN_PART = Check(CheckName.WORDING, False, "the articles say it only in part")


def answer(*, doc=EXPO, claims=None, **changes):
    values = {
        "question": "How many exhibits?",
        "standalone_question": "How many exhibits?",
        "text": "The expo had 2,500 exhibits [1]. It was free [2].",
        "status": Status.ANSWERED,
        "decision": decided(),
        "claims": claims
        or (
            Claim("The expo had 2,500 exhibits.", Verdict.SUPPORTED, 1.0, (1,)),
            Claim("It was free.", Verdict.PARTLY, 0.5, (2,), (IN_PART,)),
        ),
        "citations": (citation(1, "It had 2,500 exhibits.", EXPO), citation(2, "Entry was free.", EXPO)),
        "hits": (Hit(Passage(doc, 0, 0, len(doc.text), "The opening"), 1, 0.5, 0.8, 1.0),),
    }
    return Answer(**{**values, **changes})


def refusal(**changes):
    """Refuse in the very words of the assistant, which are shown in part."""
    retriever = ListRetriever(EXPO, cosine=0.0)
    said = Assistant(retriever, FakeEncoder(), ScriptedGenerator(), passages_read=1).ask("Who won?")
    assert "news/a.txt" in said.text
    told = {"text": said.text, "reason": said.reason, "closest": answer().hits}
    return answer(**{"status": Status.REFUSED, "citations": (), **told, **changes})


def hostile(payload):
    """Return a conversation that says a payload wherever data is shown."""
    doc = replace(document(payload, f"Before.\n{payload}\nAfter.", title=payload, sha256="0" * 64), published=payload)
    claims = (Claim(payload, Verdict.PARTLY, 0.5, (1,), (Check("x", False, payload),)),)
    answered = answer(doc=doc, claims=claims, citations=(citation(1, payload, doc),), standalone_question=payload)
    passage = Passage(doc, 0, 0, len(doc.text), payload)
    refused = refusal(text=payload, hits=(Hit(passage, 1, 0.5, 0.8, 1.0),))
    return [Turn(payload, answered), Turn(payload, refused, waiting=payload), Turn(payload, problem=payload)]


def all_html(turns):
    fragments = [
        answer_html.conversation(turns),
        source_html.source(turns, "0.c1"),
        source_html.source(turns, "1.h1", chosen=True),
    ]
    menu = answer_html.menu([Conversation(tuple(turns))], "")
    return "".join([*fragments, menu, answer_html.notice(turns[0].question), answer_html.welcome(3, [turns[0].question])])


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_becomes_markup(payload):
    seen, harmless = Seen(all_html(hostile(payload))), Seen(all_html(hostile("harmless")))
    assert seen.shape == harmless.shape
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]", seen.text)
    visible = unescape(answer_html.shown(payload))
    assert seen.text.lower().count(visible.lower()) == harmless.text.lower().count("harmless") > 10


@given(st.text())
def test_any_text_is_text(text):
    assert Seen(answer_html.shown(text)).elements == []
    assert '"' not in answer_html.shown(text)


def test_what_steers_and_is_not_seen_becomes_visible():
    assert answer_html.shown("a\u202eb\x1bc") == "a\\u202eb\\u001bc"
    assert answer_html.shown("نمی\u200cخواهم 👩\u200d🚀") == "نمی\u200cخواهم 👩\u200d🚀"  # joiners belong to words


def test_markers_and_cards_lead_to_their_sources():
    html = answer_html.conversation([Turn("How many exhibits?", answer())])
    assert re.findall(r'class="marker" data-open="([^"]+)"', html) == ["0.c1", "0.c2"]
    assert html.count('data-open="0.c1"') == 2  # the marker and the card
    assert "6 September 2024" in html
    assert "news/a.txt" in html


def test_only_what_is_published_is_shown():
    claims = (Claim("It rained.", Verdict.UNSUPPORTED, 0.1), Claim("It was free.", Verdict.SUPPORTED, 1.0, (1,)))
    partial = answer(claims=claims, status=Status.PARTIAL)
    html = answer_html.conversation([Turn("And?", partial)])
    assert "It rained" not in html
    assert "Left out, because no article backs it: 1 of 2 drafted sentences." in html
    assert "Left out" not in answer_html.conversation([Turn("And?", partial, waiting="Reading…")])


def test_a_marker_that_the_draft_wrote_is_text():
    claims = (Claim("As [7] says, it was free.", Verdict.SUPPORTED, 1.0, (1,)),)
    html = answer_html.conversation([Turn("And?", answer(claims=claims))])
    assert "As [7] says" in html
    assert "c7" not in html


def test_partly_supported_sentences_are_marked_and_others_are_not():
    html = answer_html.conversation([Turn("And?", answer())])
    assert html.count("partly supported") == 1
    assert 'title="the articles say it only in part"' in html


def test_the_words_of_a_partly_supported_sentence_that_its_source_does_not_hold_are_underlined():
    text = "Fees & fares <rose> in Lahore."
    at = text.index("fares <rose>")
    claims = (Claim(text, Verdict.PARTLY, 0.5, (1,), unbacked=((at, at + 5), (at + 7, at + 11))),)
    html = answer_html.conversation([Turn("And?", answer(claims=claims))])
    assert "Fees &amp; <u>fares</u> &lt;<u>rose</u>&gt; in Lahore." in html


def test_a_follow_up_shows_how_it_was_understood():
    html = answer_html.conversation([Turn("And when?", answer(standalone_question="When did the expo open?"))])
    assert "Understood as: When did the expo open?" in html


def test_a_refusal_says_so_once_and_offers_the_closest_articles():
    html, _, looked_at = answer_html.conversation([Turn("Who won?", refusal())]).partition('<details class="rest">')
    assert "Read, not cited: 1" in looked_at
    assert "The articles do not answer this." in html
    assert "losest article" not in html.replace("Closest articles</p>", "")
    assert html.count("news/a.txt") == 1
    assert html.count('data-open="0.h1"') == 1
    assert "The opening" in html


def test_a_refusal_offers_what_its_answer_names_as_closest():
    doc = document("a.txt", TEXT)
    hits = tuple(Hit(Passage(doc, n, n, n + 1, "Expo"), n, 0.5, 0.8, 1.0) for n in range(1, 5))
    refused = refusal(hits=hits, closest=(hits[0], hits[3]))
    html, _, looked_at = answer_html.conversation([Turn("Who won?", refused)]).partition("<details")
    assert "Read, not cited: 4" in looked_at
    assert re.findall(r'data-open="([^"]+)"', html) == ["0.h1", "0.h4"]


def acts(html):
    return re.findall(r'data-act="(\w+)"', html)


def test_waiting_can_be_stopped_and_a_turn_that_is_over_cannot():
    assert acts(answer_html.conversation([Turn("How many?", waiting="Reading…")])) == ["stop"]
    assert "stop" not in acts(answer_html.conversation([Turn("How many?", answer())]))


def test_an_answer_can_be_taken_away_and_rated_and_only_the_last_one_asked_again():
    one = answer_html.conversation([Turn("How many?", answer())])
    assert set(acts(one)) == {"copy", "save", "link", "retry", "edit", "rate"}
    both = answer_html.conversation([Turn("How many?", answer()), Turn("Else?", problem="Stopped.")])
    assert acts(both).count("retry") == acts(both).count("edit") == 1
    assert 'data-act="retry" data-turn="1"' in both


def test_a_note_can_be_added_once_it_is_rated():
    assert "<input" not in answer_html.conversation([Turn("How many?", answer())])
    rated = answer_html.conversation([Turn("How many?", answer(), rated="down")])
    assert rated.count("<input") == 1
    assert rated.count('aria-pressed="true"') == 1


def test_what_was_read_and_not_cited_is_listed_with_its_scores():
    other = document("b.txt", TEXT)
    hits = (*answer().hits, Hit(Passage(other, 0, 0, 4, "Elsewhere"), 2, 0.0312, 0.41, 1.0, found=Found(0.07)))
    html = answer_html.conversation([Turn("How many?", answer(hits=hits))])
    assert "Read, not cited: 1" in html
    assert "Rank 2, score 0.0312, likeness 0.41, holds an answer 7%" in html
    assert 'data-open="0.h2"' in html
    assert 'data-open="0.h1"' not in html


def test_while_it_is_being_read_the_articles_are_named():
    growing = answer(text="", claims=(Claim("Not yet.", Verdict.UNSUPPORTED, 0.0),), citations=())
    html = answer_html.conversation([Turn("How many?", growing, waiting="Reading…")])
    assert "The opening" in html
    assert "answer" not in re.findall(r'class="(\w+)"', html)


def test_the_menu_lists_conversations_newest_first_and_marks_the_open_one():
    old = Conversation((Turn("Old?"),), "0" * 32, "2026-01-01T00:00:00+00:00")
    new = Conversation((Turn("<b>New?"),), "1" * 32, "2026-02-01T00:00:00+00:00")
    html = answer_html.menu([old, new, Conversation()], old.id)
    assert html.index("&lt;b&gt;New?") < html.index("Old?")
    assert re.findall(r'data-go="(\d+)"', html) == ["1" * 32, "0" * 32]
    assert re.findall(r'data-go="(\d+)" aria-current', html) == ["0" * 32]


def test_a_cited_place_that_is_no_more_is_shown_as_its_quote_alone():
    gone = replace(answer().citations[0], state=State.CHANGED)
    html = source_html.source([Turn("How many?", answer(hits=(), citations=(gone,)))], "0.c1")
    assert marks(html) == [(' class="current"', "It had 2,500 exhibits.")]
    assert "The file has changed since it was indexed" in html
    assert "Nobody left early" not in html


def test_an_article_of_the_library_is_shown_with_or_without_a_place():
    assert marks(source_html.article(EXPO)) == []
    assert marks(source_html.article(EXPO, 0, 8)) == [(' class="current"', "The expo")]


def marks(html):
    return re.findall(r'<mark( class="current")?[^>]*>(.*?)</mark>', html)


def test_a_source_is_the_whole_article_with_its_quotes_highlighted():
    html = source_html.source([Turn("How many?", answer())], "0.c2")
    assert marks(html) == [("", "It had 2,500 exhibits."), (' class="current"', "Entry was free.")]
    body = html.partition("</header>")[2]
    assert Seen(body).text == TEXT.replace("\n", "")
    assert body.count("<p ") == 3


def test_a_quote_across_paragraphs_is_marked_in_each():
    doc = document("a.txt", TEXT)
    quote = "Monday.\n\nIt had"
    html = source_html.source([Turn("How?", answer(doc=doc, citations=(citation(1, quote, doc),)))], "0.c1")
    assert marks(html) == [(' class="current"', "Monday."), (' class="current"', "It had")]


def test_where_quotes_overlap_the_current_one_wins():
    doc = document("a.txt", TEXT)
    cited = (citation(1, "It had 2,500 exhibits. Entry", doc), citation(2, "exhibits. Entry was free.", doc))
    html = source_html.source([Turn("How?", answer(doc=doc, citations=cited))], "0.c1")
    assert marks(html) == [(' class="current"', "It had 2,500 "), (' class="current"', "exhibits. Entry"), ("", " was free.")]


def test_the_first_source_of_the_newest_answer_is_open():
    assert 'data-key="1.c1"' in source_html.first_source([Turn("One?", answer()), Turn("Two?", answer())])
    assert source_html.first_source([Turn("One?", answer()), Turn("Two?", refusal())]) == source_html.no_source()
    assert source_html.first_source([Turn("One?", problem="Stopped.")]) == source_html.no_source()


@pytest.mark.parametrize("key", ["", "0", "0.c9", "0.h9", "1.c1", "9.c1", "0.x1", "0.c1\n", "-1.c1", "0.c1 ", "٠.c1", "None"])
def test_a_key_that_names_nothing_is_a_lookup_error(key):
    with pytest.raises(LookupError):
        source_html.source([Turn("How many?", answer()), Turn("Else?", problem="Stopped.")], key)
