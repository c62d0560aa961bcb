"""The page in a real browser: conversations that stay, answers that are taken away, the library, many readers, hostile text."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from browsing import EXPO, GRADIO, Reader, Scripted, SmallEncoder, answered, indexed, served
from payloads import PAYLOADS

from rag.answer.refusal import THRESHOLD
from rag.evaluate.gold import load_questions
from rag.evaluate.ratings import FILE
from rag.web.conversation import LEFT
from rag.web.library import MAX_FILE_BYTES

pytestmark = [pytest.mark.slow, *GRADIO]

MEGA = "Mega Motors opened a plant in Lahore.\n\nIt employs 900 people."
MANY = 10  # readers at once
FOREIGN = (
    "script, img, iframe, object, embed, link, style, meta, base, form, video, audio, source, picture, svg, math, template, a, "
    "marquee, select, textarea, [onerror], [onload], [onclick], [onmouseover], [onfocus], [autofocus], [style*=url]"
)


@pytest.fixture
def index(tmp_path):
    return indexed(tmp_path, expo=EXPO.text, mega=MEGA)


@pytest.fixture
def assistant():
    return Scripted()


@pytest.fixture
def page(index, assistant):
    with served(lambda progress: assistant, index=index) as address:
        yield address


@pytest.fixture
def reader(chromium, page):
    reader = Reader(chromium, page)
    yield reader
    assert reader.was_safe()
    reader.tab.close()


def press(reader, name, *, within="#conversation"):
    reader.tab.locator(within).get_by_role("button", name=name, exact=True).click()


def open_tab(reader, name):
    reader.tab.get_by_role("tab", name=name).click()


# Conversations


def test_a_conversation_stays_when_the_page_is_loaded_again(reader):
    reader.answer("How many exhibits?")
    reader.tab.reload()
    reader.tab.locator(".turn h2", has_text="How many exhibits?").wait_for()
    assert "2,500" in reader.tab.locator(".answer").inner_text()
    reader.tab.get_by_label("Source 2").click()
    reader.tab.locator("#reader mark.current", has_text="Entry was free.").wait_for()


def test_several_conversations_are_kept_apart_and_can_be_forgotten(reader, assistant):
    reader.answer("How many exhibits?")
    press(reader, "New", within="#masthead")
    reader.tab.locator(".welcome").wait_for()
    reader.answer("Was it free?")
    assert assistant.asked[-1] == ("Was it free?", [])
    reader.tab.get_by_text("Conversations").click()
    press(reader, "How many exhibits?", within="#masthead")
    reader.tab.locator(".turn h2", has_text="How many exhibits?").wait_for()
    assert reader.tab.locator(".turn").count() == 1
    reader.tab.get_by_text("Conversations").click()
    reader.tab.get_by_role("button", name="Forget Was it free?").click()
    reader.tab.locator("#masthead li").nth(1).wait_for(state="detached")
    reader.tab.reload()
    reader.tab.locator("#masthead nav details").wait_for()
    reader.tab.get_by_text("Conversations").click()
    assert reader.tab.locator("#masthead li").count() == 1


def test_two_tabs_of_one_browser_keep_a_conversation_each(chromium, page):
    with chromium.new_context() as browser:
        one, two = Reader(browser, page), Reader(browser, page)
        one.answer("How many exhibits?")
        two.answer("Was it free?")
        one.tab.reload()
        one.tab.get_by_text("Conversations").click()
        assert one.tab.locator("#masthead li").count() == 2


def test_a_conversation_that_goes_on_in_another_tab_says_so(chromium, page):
    with chromium.new_context() as browser:
        one = Reader(browser, page)
        one.answer("How many exhibits?")
        with browser.expect_page() as opened:
            one.tab.evaluate("open(location.href)")  # which takes what the tab knows with it
        opened.value.get_by_label("Question").fill("Was it free?")
        opened.value.locator(".turn").wait_for()
        opened.value.get_by_label("Question").press("Enter")
        one.tab.get_by_text("Another tab goes on with this conversation").wait_for()


def test_what_another_program_left_in_the_browser_is_passed_over(reader):
    reader.tab.evaluate(
        "localStorage.setItem('footnote/x', '{]'); localStorage.setItem('footnote/y', JSON.stringify({id: 'y'}))"
    )
    hostile = {"id": "z", "started": "", "text": json.dumps({"id": "0" * 32, "turns": [{"question": 7}]})}
    reader.tab.evaluate("one => localStorage.setItem('footnote/z', JSON.stringify(one))", hostile)
    reader.tab.reload()
    assert "2,500" in reader.answer("How many exhibits?")


def test_a_question_that_waited_when_the_page_was_left_can_be_asked_again(reader):
    reader.ask("Will it go on for ever?")
    reader.tab.locator(".answer").wait_for()
    reader.tab.reload()
    reader.tab.locator(".problem", has_text=LEFT).wait_for()
    reader.complaints.clear()  # Gradio tells the console that its stream was cut
    press(reader, "Ask again")
    reader.tab.locator(".answer").wait_for()
    press(reader, "Stop")
    reader.tab.locator(".problem", has_text="Stopped.").wait_for()


def test_a_link_to_a_question_puts_it_into_the_box_and_asks_nothing(chromium, page, assistant):
    reader = Reader(chromium, f"{page}/?ask=Was+it+%3Cb%3Efree%3C%2Fb%3E%3F")
    reader.address = page
    box = reader.tab.get_by_label("Question")
    reader.tab.wait_for_function("document.querySelector('#ask textarea')?.value")
    assert box.input_value() == "Was it <b>free</b>?"
    assert reader.tab.url == f"{page}/"
    assert not assistant.asked
    assert reader.was_safe()
    reader.tab.close()


# What can be done with an answer


def test_an_answer_is_asked_again_in_its_place_and_a_question_goes_back_to_the_box(reader, assistant):
    reader.answer("How many exhibits?")
    press(reader, "Ask again")
    reader.tab.locator(".waiting").wait_for()
    reader.tab.locator(".waiting").wait_for(state="detached")
    assert [question for question, _ in assistant.asked] == ["How many exhibits?"] * 2
    assert assistant.asked[1][1] == []
    assert reader.tab.locator(".turn").count() == 1
    press(reader, "Edit")
    reader.tab.wait_for_function("document.querySelector('#ask textarea').value === 'How many exhibits?'")


def test_the_focus_stays_in_the_conversation_when_an_answer_is_asked_again(reader):
    reader.answer("How many exhibits?")
    again = reader.tab.get_by_role("button", name="Ask again")
    again.focus()
    again.press("Enter")
    reader.tab.locator("[data-act=stop]:focus").wait_for()  # which the script gives it when the button is drawn
    reader.tab.locator(".waiting").wait_for(state="detached")
    reader.tab.locator("[data-act=retry]:focus").wait_for()


@pytest.mark.parametrize(
    "press_it", [lambda reader: press(reader, "New", within="#masthead"), lambda reader: reader.tab.keyboard.press("Enter")]
)
def test_what_must_wait_for_an_answer_says_so_for_a_while(reader, press_it):
    reader.ask("Tell it for ever.")
    reader.tab.get_by_label("Question").fill("And then?")
    press_it(reader)
    said = reader.tab.get_by_text("An answer is being written")
    said.wait_for()
    assert reader.tab.get_by_label("Question").input_value() == "And then?"
    said.wait_for(state="detached")
    press(reader, "Stop")


def test_an_answer_and_a_link_are_copied(chromium, page):
    reader = Reader(chromium, page)
    reader.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reader.answer("How many exhibits?")
    press(reader, "Copy")
    reader.tab.get_by_text("Copied.").wait_for()
    copied = reader.tab.evaluate("navigator.clipboard.readText()")
    assert "[^1]" in copied
    assert "It had 2,500 exhibits" in copied
    press(reader, "Link")
    reader.tab.wait_for_function("async () => (await navigator.clipboard.readText()).includes('?ask=')")
    assert reader.tab.evaluate("navigator.clipboard.readText()") == f"{page}/?ask=How%20many%20exhibits%3F"
    reader.tab.close()


@pytest.mark.parametrize(("form", "ending"), [("Markdown", ".md"), ("HTML", ".html"), ("JSON", ".json")])
def test_an_answer_is_saved_as_a_file(reader, form, ending):
    reader.answer("How many exhibits?")
    reader.tab.get_by_text("Save", exact=True).click()
    with reader.tab.expect_download() as saved:
        press(reader, form)
    assert saved.value.suggested_filename == f"how-many-exhibits{ending}"
    assert "It had 2,500 exhibits" in Path(saved.value.path()).read_text(encoding="utf-8")


def test_a_rating_with_its_note_becomes_a_question_of_the_evaluation(reader, index):
    reader.answer("How many exhibits?")
    press(reader, "✓ Right")
    reader.tab.get_by_label("Note").fill("as in the <b>paper</b>")
    press(reader, "Add the note")
    reader.tab.get_by_text("The note is stored.").wait_for()
    last = json.loads((index / FILE).read_text(encoding="utf-8").splitlines()[-1])
    assert (last["rating"], last["note"]) == ("up", "as in the <b>paper</b>")
    (question,) = load_questions(index / FILE)
    assert (question.question, question.answerable, question.sources) == ("How many exhibits?", True, ("expo.txt",))
    reader.answer("Who won the lottery?")
    reader.tab.locator(".turn").nth(1).get_by_role("button", name="✗ Wrong").click()
    reader.tab.locator(".turn").nth(1).get_by_label("Note").wait_for()
    assert len(load_questions(index / FILE)) == 1


# Settings


def test_settings_go_with_the_next_question(reader, assistant):
    open_tab(reader, "Settings")
    reader.tab.get_by_label("Strict", exact=True).check()
    reader.tab.get_by_label("Short").check()
    reader.tab.get_by_label("Not before").fill("2024-01-31")
    reader.tab.get_by_label("Only these articles").fill("expo, mega")
    reader.answer("How many exhibits?")
    (options,) = assistant.options
    assert (options.scope.since, options.scope.until, options.scope.names) == ("2024-01-31", None, ("expo", "mega"))
    assert options.threshold > THRESHOLD
    assert options.max_new_tokens < 96


# The library


def test_the_library_lists_searches_and_opens_the_articles(reader):
    open_tab(reader, "Library")
    reader.tab.locator("#articles li").nth(1).wait_for()
    assert "about 10 words in 1 passage" in reader.tab.locator("#articles").inner_text()
    reader.tab.get_by_placeholder("Search the articles").press_sequentially("Lahore")
    reader.tab.locator("#articles li").nth(1).wait_for(state="detached")
    reader.tab.locator("#articles [data-source='mega.txt']").click()
    reader.tab.locator("#reader article", has_text="It employs 900 people.").wait_for()
    assert reader.tab.get_by_role("tab", name="Source").get_attribute("aria-selected") == "true"


def test_a_picture_leads_to_an_article(reader):
    open_tab(reader, "Library")
    reader.tab.locator("#pictures circle[data-source='mega.txt']").first.click()
    reader.tab.locator("#reader mark.current", has_text="Mega Motors").wait_for()


def test_dropped_files_are_stored_under_names_of_our_own_and_indexed(reader, index, tmp_path):
    sent = tmp_path / "x..%2f<img src=x onerror=owned=1> Flood \u202eNews.txt"
    sent.write_text("The river rose by 4 metres in Multan.", encoding="utf-8")
    refused = tmp_path / "picture.md"
    refused.write_text("", encoding="utf-8")
    large = tmp_path / "large.txt"
    large.write_text("x" * (MAX_FILE_BYTES + 1), encoding="utf-8")
    open_tab(reader, "Library")
    reader.tab.locator("#library input[type=file]").first.set_input_files([sent, refused, large])
    reader.tab.locator("#articles li", has_text="The river rose").wait_for()
    (stored,) = [path for path in (index.parent / "articles" / "added").iterdir() if "flood" in path.name]
    assert stored.read_text(encoding="utf-8") == "The river rose by 4 metres in Multan."
    assert stored.name.replace("-", "").removesuffix(".txt").isalnum()
    reader.tab.locator("#progress li", has_text="picture").wait_for()
    reader.tab.locator("#progress li", has_text="larger than 20 MB").wait_for()


def test_an_article_is_removed_only_when_the_reader_insists(reader, index):
    open_tab(reader, "Library")
    remove = reader.tab.locator("[data-remove='mega.txt']")
    remove.click()
    reader.tab.get_by_label("Search").click()
    assert remove.get_attribute("aria-label").startswith("Remove")  # asked no more
    remove.click()
    reader.tab.get_by_role("button", name="Really remove?").click()
    reader.tab.locator("#articles [data-source='mega.txt']").wait_for(state="detached")
    assert (index.parent / "articles" / "mega.txt").exists()
    assert "/mega.txt" in (index.parent / "articles" / ".ragignore").read_text(encoding="utf-8")


class HeldEncoder(SmallEncoder):
    """Embeds only when it may."""

    def __init__(self):
        super().__init__()
        self.may, self.begun = threading.Event(), threading.Event()

    def encode(self, texts):
        self.begun.set()
        assert self.may.wait(30)
        return super().encode(texts)


def test_questions_are_answered_while_the_articles_are_indexed(chromium, index, assistant):
    encoder = HeldEncoder()
    (index.parent / "articles" / "new.txt").write_text("A new article.", encoding="utf-8")
    (index.parent / "articles" / "expo.txt").write_text("Another text now.", encoding="utf-8")
    with served(lambda progress: assistant, index=index, encoder=encoder) as page:
        reader = Reader(chromium, page)
        open_tab(reader, "Library")
        reader.tab.locator("#articles li", has_text="expo.txt").get_by_text("changed").wait_for()
        press(reader, "Update", within="#library")
        assert encoder.begun.wait(10)
        reader.tab.locator("#progress", has_text="Questions are answered meanwhile").wait_for()
        assert "2,500" in reader.answer("How many exhibits?")
        encoder.may.set()
        open_tab(reader, "Library")
        reader.tab.locator("#progress", has_text="1 added, 1 changed, 1 unchanged").wait_for()
        reader.tab.locator("#articles [data-source='new.txt']").wait_for()
        assert reader.was_safe()
        reader.tab.close()


# Many readers


class Slow(Scripted):
    """Answers each question with its own words, in a tenth of a second."""

    def stream(self, question, *, history=(), stopped=lambda: False, options=None):
        self.asked.append((question, list(history)))
        time.sleep(0.1)
        own = question.removesuffix("?")
        yield answered(
            question, document=EXPO.__class__(f"{own}.txt", f"{own} here.", own, None, own), quotes=(f"{own} here.",)
        )


def test_ten_readers_at_once_each_get_their_own_answers(chromium, index):
    assistant = Slow()
    with served(lambda progress: assistant, index=index) as page:
        readers = [Reader(chromium, page) for _ in range(MANY)]
        for reader in readers:
            reader.tab.set_default_timeout(60_000)
        for turn in range(3):
            for number, reader in enumerate(readers):
                reader.tab.get_by_label("Question").fill(f"canary {number} {turn}?")
                reader.tab.get_by_label("Question").press("Enter")
            for number, reader in enumerate(readers):
                reader.tab.locator(".turn .answer", has_text=f"canary {number} {turn} here.").wait_for()
                reader.tab.locator(".waiting").wait_for(state="detached")
        for number, reader in enumerate(readers):
            said = reader.tab.locator("#conversation").inner_text()
            assert [other for other in range(MANY) if f"canary {other} " in said] == [number]
            reader.tab.close()
    for number in range(MANY):
        own = [question for question, _ in assistant.asked if question.startswith(f"canary {number} ")]
        assert own == [f"canary {number} {turn}?" for turn in range(3)]


# Hostile text


def test_sixty_payloads_in_five_places_stay_text(chromium, index):
    with served(lambda progress: Scripted(), index=index) as page:
        reader = Reader(chromium, page)
        for payload in PAYLOADS:
            reader.answer_whatever(f"hostile {payload}")  # in the article, its title, its file's name, and the question
            reader.tab.get_by_label("Source 1").last.click()
            reader.tab.locator("#reader mark.current").wait_for()
            reader.answer_whatever(f"refuse with {payload}")  # in an error
            for place in ("#conversation", "#reader", "#masthead"):
                assert reader.tab.locator(f"{place} :is({FOREIGN})").count() == 0
            assert reader.was_safe()
            press(reader, "New", within="#masthead")
            reader.tab.locator(".welcome").wait_for()
        reader.tab.close()
