"""Questions made from the articles."""

from __future__ import annotations

from fakes import document, put

from rag.index.writer import Writer
from rag.web.examples import example_questions

EXPO = "At the Great Hall people met Jane Q. Then Jane van Dyck met with Jane Alice Smith, and saw Mega Motors."


def questions(tmp_path, *documents, **options):
    with Writer.open(tmp_path) as store:
        put(store, *documents)
        return example_questions(store, **options)


def test_each_is_about_a_name_of_another_article(tmp_path):
    made = questions(tmp_path, document("a.txt", EXPO), document("b.txt", "It is said that Mega Motors met with Ali Khan."))
    assert made == ["What do the articles say about Jane Alice Smith?", "What do the articles say about Mega Motors?"]


def test_there_are_at_most_as_many_as_asked_for(tmp_path):
    documents = [document(f"{n}.txt", f"We met Anna B{'e' * n}rg.") for n in range(1, 9)]
    assert len(questions(tmp_path, *documents)) == 3
    assert len(questions(tmp_path, *documents, count=5)) == 5


def test_articles_without_names_give_none(tmp_path):
    assert questions(tmp_path, document("a.txt", "一辆车。 nothing here. <B>Not A</B>")) == []
