"""Trajectories of molecular dynamics: one form for all engines, and the joining of segments."""

import itertools

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import Dict, TrajectoryData

#: Arrays that every trajectory has beside ``steps``: Cartesian positions (A, not wrapped), velocities (A/ps), cells
#: (A), times (ps), potential energies (eV), temperatures (K), conserved quantity of the thermostat (eV).
ARRAYS = ('positions', 'velocities', 'cells', 'times', 'energies', 'temperatures', 'conserved')
#: Attributes that the segments of one dynamics have in common.
ATTRIBUTES = ('timestep_fs', 'temperature', 'stride', 'engine', 'potential_name')


def new_trajectory(
    symbols: list[str], steps: np.ndarray, arrays: dict[str, np.ndarray], attributes: dict
) -> TrajectoryData:
    """An unstored trajectory in the form that the analysis expects.

    :param symbols: of the n atoms.
    :param steps: numbers of the s steps, counted from the start of the whole dynamics; 0 is the initial structure.
    :param arrays: the entries of :data:`ARRAYS`, each with s as its first dimension; those of one step belong to one
        instant.
    :param attributes: the entries of :data:`ATTRIBUTES`: time step (fs), target temperature (K), stride, name of the
        engine, and name of the potential if the engine has one.
    """
    trajectory = TrajectoryData()
    known = {name: arrays[name] for name in ('positions', 'cells', 'times', 'velocities')}
    trajectory.set_trajectory(list(symbols), stepids=np.asarray(steps, dtype=int), pbc=(True, True, True), **known)
    for name in ('energies', 'temperatures', 'conserved'):
        trajectory.set_array(name, np.asarray(arrays[name], dtype=float))
    trajectory.base.attributes.set_many({name: attributes.get(name) for name in ATTRIBUTES})
    return trajectory


def _ordered(segments: list[TrajectoryData]) -> list[TrajectoryData]:
    """The segments in the order of their steps. If they do not follow each other, the error names the steps."""
    for name in ('symbols', *ATTRIBUTES):
        values = [segment.base.attributes.get(name, None) for segment in segments]
        if any(value != values[0] for value in values):
            raise ValueError(f'the segments differ in {name}: {sorted({str(value) for value in values})}')
    stride = segments[0].base.attributes.get('stride')
    ordered = sorted(segments, key=lambda segment: int(segment.get_array('steps')[0]))
    steps = np.concatenate([segment.get_array('steps') for segment in ordered])
    for before, after in itertools.pairwise(steps):
        if after - before != stride:
            what = 'repeated' if after <= before else 'missing'
            raise ValueError(f'step {after} follows step {before}, with the stride {stride}: steps are {what}')
    return ordered


@calcfunction
def join_trajectories(**segments: TrajectoryData) -> TrajectoryData:
    """One trajectory from the segments of one dynamics, in the order of their steps whatever their keys.

    :param segments: by keys ``segment_0001``, ``segment_0002``, ...
    :raises ValueError: if they are not of the same dynamics, or a step is missing or doubled.
    """
    ordered = _ordered(list(segments.values()))
    arrays = {name: _concatenate(ordered, name) for name in ('steps', *ARRAYS)}
    symbols = ordered[0].base.attributes.get('symbols')
    attributes = {name: ordered[0].base.attributes.get(name, None) for name in ATTRIBUTES}
    return new_trajectory(symbols, arrays.pop('steps'), arrays, attributes)


@calcfunction
def join_parameters(**parameters: Dict) -> Dict:
    """The output parameters of a whole dynamics, from those of its segments.

    Means and drifts are weighted by steps; the standard deviation is that of all steps together.

    :param parameters: ``output_parameters`` of the segments, by keys ``segment_0001``, ``segment_0002``, ...
    :raises ValueError: if their steps do not follow each other.
    """
    found = sorted((node.get_dict() for node in parameters.values()), key=lambda entry: entry['last_step'])
    for before, after in itertools.pairwise(found):
        if after['last_step'] - after['steps'] != before['last_step']:
            raise ValueError(f'{after["steps"]} steps up to {after["last_step"]} do not follow {before["last_step"]}')
    means, deviations = (np.array([entry[f'temperature_{name}'] for entry in found], float) for name in ('mean', 'std'))
    mean = _average(found, means)
    spread = None if mean is None else _average(found, deviations**2 + (means - mean) ** 2)
    seconds = [entry['seconds'] for entry in found if entry['seconds'] is not None]
    joined = {
        'steps': sum(entry['steps'] for entry in found),
        'last_step': found[-1]['last_step'],
        'temperature_mean': mean,
        'temperature_std': None if spread is None else float(np.sqrt(spread)),
        'energy_drift': _average(found, np.array([entry['energy_drift'] for entry in found], float)),
        'seconds': sum(seconds) if seconds else None,
        'segments': len(found),
    }
    if all('unconverged_steps' in entry for entry in found):
        joined['unconverged_steps'] = sum(entry['unconverged_steps'] for entry in found)
    return Dict(joined)


def _average(found: list[dict], values: np.ndarray) -> float | None:
    """Average over segments, weighted by steps; None if one has no value, as after a divergence."""
    return float(np.average(values, weights=[entry['steps'] for entry in found])) if np.isfinite(values).all() else None


def _concatenate(segments: list[TrajectoryData], name: str) -> np.ndarray:
    """One array of all segments. Each is dropped from memory once it is copied."""
    shapes = [segment.get_shape(name) for segment in segments]
    joined = np.empty((sum(shape[0] for shape in shapes), *shapes[0][1:]), dtype=int if name == 'steps' else float)
    begin = 0
    for segment in segments:
        part = segment.get_array(name)
        joined[begin : begin + len(part)] = part
        begin += len(part)
        del part
        segment.clear_internal_cache()
    return joined
