"""Sources of structures: each module has a function that yields an ``Entry`` for every structure."""
