"""Sources of structures: folders, the Materials Project, providers of OPTIMADE.

Each module has one function that yields an :class:`~aiida_pesfp.sources.entry.Entry` for every structure. Imports
neither aiida nor torch.
"""
