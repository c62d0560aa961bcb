"""Options that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Index = Annotated[Path | None, typer.Option(help="Folder of the index; `index` unless configured.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on one line, for programs.")]
