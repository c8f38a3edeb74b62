"""Crystal structures: files, cells, periodic images."""
