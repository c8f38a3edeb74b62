"""Where structures come from: folders, the Materials Project, providers of OPTIMADE.

Each module has one function that yields an :class:`~aiida_pesfp.sources.entry.Entry` for every structure. Knows neither
AiiDA nor torch.
"""
