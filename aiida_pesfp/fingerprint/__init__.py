"""From a crystal structure to its fingerprint: scan grid, potential energy surface, level map, descriptors.

Pure science on numpy arrays and pymatgen structures. Nothing here knows AiiDA, torch or a particular potential.
"""
