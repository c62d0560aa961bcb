"""Turn an answer into what programs and people read: JSON, an explanation, a file; and check it against the index later."""
