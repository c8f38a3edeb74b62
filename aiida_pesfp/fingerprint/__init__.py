"""The science of the paper: from a crystal structure to its potential energy surface, level maps and descriptors.

Works on numpy arrays and pymatgen structures, with any potential. Imports neither aiida nor torch.
"""
