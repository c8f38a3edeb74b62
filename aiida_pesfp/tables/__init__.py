"""Tables that people made: text in any encoding, rows, heads and numbers as they are written."""
