"""Trajectories: files of other programs, of SIESTA, and our own."""
