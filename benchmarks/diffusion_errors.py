"""How often the uncertainty of a diffusion coefficient holds the truth: ours, kinisi's, pymatgen's DiffusionAnalyzer.

Run ``python benchmarks/diffusion_errors.py``.
Needs ``pip install pymatgen-analysis-diffusion`` for the latter; what is not installed is left out.
"""

import argparse

import common  # noqa: F401  (finds tests.helpers)
import numpy as np
from pymatgen.core import Lattice, Structure
from tabulate import tabulate

from aiida_pesfp.settings.diffusion import DiffusionSettings
from aiida_pesfp.transport.diffusion import CM2_PER_S, diffuse
from aiida_pesfp.transport.kinisi import bayesian_diffusion
from tests.helpers.walks import D_CM2_S, brownian

DURATION, TIME_STEP = 60.0, 0.1
BOX = 1000.0


def ours(trajectory):
    found = diffuse(trajectory, trajectory.indices('Li'), trajectory.framework_drift('Li'), DiffusionSettings())
    return found.estimate.coefficient, found.estimate.error


def kinisi(trajectory):
    found = bayesian_diffusion(
        trajectory, trajectory.indices('Li'), trajectory.framework_drift('Li'), DiffusionSettings()
    )
    return found.coefficient, (found.interval[1] - found.interval[0]) / 2


def pymatgen(trajectory):
    """As its documentation has it: all defaults; displacements in a box that is never left."""
    from pymatgen.analysis.diffusion.analyzer import DiffusionAnalyzer

    scaled = (trajectory.positions - trajectory.positions[0]) / BOX
    structure = Structure(Lattice.cubic(BOX), trajectory.symbols, trajectory.positions[0] / BOX)
    displacements = scaled.transpose(1, 0, 2) * BOX
    analyzer = DiffusionAnalyzer(structure, displacements, 'Li', 1000.0, 1.0, round(TIME_STEP * 1000))
    return analyzer.diffusivity, analyzer.diffusivity_std_dev


#: The walks are the same for all; kinisi takes some seconds for each.
METHODS = (('windows of 15 ps', ours, 200), ('kinisi', kinisi, 20), ('DiffusionAnalyzer', pymatgen, 200))


def main():
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rng = np.random.default_rng(0)
    walks = [brownian(rng, DURATION, TIME_STEP) for _ in range(200)]
    rows = []
    for name, method, count in METHODS:
        try:
            values, errors = np.array([method(walk) for walk in walks[:count]]).T
        except ImportError as error:
            print(f'{name} is left out: {error}')
            continue
        rows.append(
            (
                name,
                count,
                values.mean() / D_CM2_S,
                values.std(ddof=1) / D_CM2_S,
                errors.mean() / D_CM2_S,
                np.mean(np.abs(values - D_CM2_S) < errors),
            )
        )
    headers = ('method', 'walks', 'mean D / true D', 'spread of D', 'claimed error', 'truth within the error')
    print(f'Brownian walks of 16 ions, {DURATION:g} ps, D = {D_CM2_S / CM2_PER_S:g} A^2/ps')
    print(tabulate(rows, headers, floatfmt=('', '', '.3f', '.3f', '.3g', '.2f')))


if __name__ == '__main__':
    main()
