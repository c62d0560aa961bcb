"""The command ``rag``: the command line, with the page as one of its verbs. ``python -m rag`` is the same."""

from __future__ import annotations

from rag.cli.app import main

if __name__ == "__main__":
    main()
