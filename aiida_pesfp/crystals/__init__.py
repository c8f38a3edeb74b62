"""Crystal structures: files, checks, duplicates, supercells, periodic images."""
