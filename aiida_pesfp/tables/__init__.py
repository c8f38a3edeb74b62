"""Tables that people made: rows, heads and numbers as they are written."""
