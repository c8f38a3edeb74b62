"""Fast-ion conductors from the machine-learned potential energy landscape, as an AiiDA plugin.

The method is that of Maevskiy et al. (arXiv:2411.06804). ``fingerprint``, ``potentials``, ``transport`` and ``runners``
are the compute side and know nothing of AiiDA; ``data``, ``calculations``, ``parsers``, ``workflows``, ``report`` and
``cli`` are the AiiDA side and never import torch.
"""

__version__ = '0.1.0'
