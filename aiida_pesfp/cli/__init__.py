"""Command line: ``aiida-pesfp``, and ``verdi data pesfp.pes``."""
