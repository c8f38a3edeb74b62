"""Structures from CIF, verified: a crystal is read only if it is the one that its file describes.

``tags`` gets values of a block, ``symmetry`` the operations, ``atoms`` the atoms, ``sites`` makes the crystal of them,
and ``reader`` compares it with the statements of the file and decides.
"""
