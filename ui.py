"""The page as a program: ``python ui.py`` takes the options of ``rag ui``."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from rag.__main__ import main

    main(["ui", *sys.argv[1:]])
