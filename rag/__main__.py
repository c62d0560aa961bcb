"""The command ``rag``: the verbs of :mod:`rag.cli` and the web page as one more. ``python -m rag`` is the same."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.app import app, run
from rag.cli.options import Index
from rag.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Auth = Annotated[str | None, typer.Option(metavar="USER:PASSWORD", help="Ask readers for these.", show_default=False)]
Host = Annotated[str, typer.Option(help="Address to listen on; 127.0.0.1 is this machine only.")]
Port = Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)]


@app.command(epilog="Example: rag ui --port 8000")
def ui(host: Host = "127.0.0.1", port: Port = 7860, auth: Auth = None, index: Index = None) -> None:
    """Open the chat as a web page."""
    if auth is not None and not all(auth.partition(":")[::2]):
        raise UsageError("--auth must be USER:PASSWORD, for example --auth reader:secret")
    from rag.config import load_config

    config = load_config(index=index)
    from rag.web.serve import launch

    launch(index=config.index, host=host, port=port, auth=auth)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line, that of this process unless another is given, and end the process with its exit code."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries warn about themselves
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    main()
