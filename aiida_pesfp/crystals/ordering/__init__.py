"""Ordered crystals of a disordered one.

``parent`` finds the orbits of its sites, ``charges`` the oxidation states, ``counts`` the cells and how many atoms of
each species an orbit gets, ``exclusion`` which atoms are too close to each other, ``groups`` which ones turn together,
``sampling`` draws arrangements, ``exact`` decides whether there is any, ``arrange`` does this for one cell,
``electrostatics`` and ``swaps`` choose by energy, and ``order`` does all of it.
"""
