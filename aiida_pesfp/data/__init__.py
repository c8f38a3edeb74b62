"""AiiDA node types. What a user filters on is an attribute, arrays are in the repository, extras are the user's own."""

from aiida_pesfp.data import locks

locks.wait_for_others()
