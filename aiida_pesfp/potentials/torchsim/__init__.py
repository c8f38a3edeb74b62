"""Potentials that other packages offer through torch-sim."""
