"""The web page: :mod:`rag.web.serve` starts it."""
