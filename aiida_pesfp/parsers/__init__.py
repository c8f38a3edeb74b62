"""Parsers, each in a module of the same name as its calculation."""
