"""Dynamics that take seconds."""

#: Windows as short as the runs: the numbers mean nothing, the way to them is what is tested.
ANALYSIS = {'species': 'Li', 'equilibration_ps': 0.01, 'window_ps': 0.02, 'fit_start_ps': 0.004}
OVERRIDES = {
    'md': {'dynamics': {'steps': 60, 'stride': 1, 'timestep': 1.0}},
    'supercell': {'minimum_distance': 4.0},
    'relax': {'parameters': {'fmax': 0.05, 'smax': 1.0}},
}
