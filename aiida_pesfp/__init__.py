"""Fast-ion conductors from the machine-learned potential energy landscape, as an AiiDA plugin.

The method is that of Maevskiy et al. (arXiv:2411.06804). The compute side never imports aiida: ``settings``,
``crystals``, ``fingerprint``, ``potentials``, ``trajectories``, ``transport``, ``assessment``, ``programs``. The AiiDA
side never imports torch: ``data``, ``calculations``, ``parsers``, ``workflows``, ``queries``, ``report``, ``cli``.
"""

__version__ = '0.1.0'
