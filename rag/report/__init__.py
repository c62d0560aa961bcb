"""An answer becomes what programs and people read: JSON, an explanation, a file; and is held against the index later."""
