"""Makes the pictures of the README from the real page on the seeds: ``python tests/screenshots.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from browsing import ROOT, Reader, browsing, served_for_real

from rag.cli import app

DOCS = ROOT / "docs"
PICTURES = {
    "page.png": "How many exhibits did the Taizhou expo have?",
    "refusal.png": "What is the price of the Changan Alsvin?",
}


def main() -> None:
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        app.run(["index", str(ROOT / "seeds"), "--index", folder])
        take_pictures(Path(folder))


def take_pictures(index: Path) -> None:
    with served_for_real(index) as address, browsing() as browser:
        for name, question in PICTURES.items():
            reader = Reader(browser, address)
            reader.tab.set_default_timeout(120_000)
            reader.tab.get_by_text("Ready.").wait_for()
            reader.answer(question)
            reader.tab.wait_for_timeout(500)  # until it has scrolled to the quote
            reader.tab.screenshot(path=DOCS / name)
            assert reader.was_safe()
            reader.tab.close()
        reader = Reader(browser, address, viewport={"width": 1280, "height": 1000})
        reader.answer(next(iter(PICTURES.values())))
        reader.tab.get_by_role("tab", name="Library").click()
        reader.tab.locator("#pictures circle").first.wait_for()
        reader.tab.locator("#articles li").first.wait_for()
        reader.tab.screenshot(path=DOCS / "library.png")
        reader.tab.close()


if __name__ == "__main__":
    main()
