"""Calculation functions from trajectories to conductivities and activation energies."""

import numpy as np
from aiida.engine import ExitCode, Process, calcfunction
from aiida.orm import Dict, TrajectoryData

from aiida_pesfp import errors
from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.conductivity import ConductivityData
from aiida_pesfp.settings.arrhenius import ArrheniusSettings
from aiida_pesfp.settings.diffusion import ConductivitySettings
from aiida_pesfp.trajectories.trajectory import Trajectory, constant_cell, whole_trajectory
from aiida_pesfp.transport.arrhenius import fit_arrhenius
from aiida_pesfp.transport.conductivity import analyse


def to_trajectory(node: TrajectoryData, unwrapped: bool = False) -> tuple[Trajectory, list[str]]:
    """The trajectory of a node, for the analysis, and notes on what is doubtful.

    :param unwrapped: the positions are not wrapped, however far ions go between two frames.
    :raises InvalidTrajectory: if the node holds no cells or times, or they do not fit the analysis.
    """
    positions, cells, times = node.get_positions(), node.get_cells(), node.get_times()
    node.clear_internal_cache()  # the arrays are ours to change
    if cells is None or times is None:
        raise errors.InvalidTrajectory('the trajectory has no cells or no times: store it with both')
    return whole_trajectory(tuple(node.symbols), positions, np.asarray(times, float), constant_cell(cells), unwrapped)


@calcfunction
def conductivity(trajectory: TrajectoryData, parameters: Dict) -> ConductivityData | ExitCode:
    """Conductivity of the mobile species, with uncertainty, alternatives and flags.

    :param trajectory: one dynamics at one temperature.
    :param parameters: see :class:`~aiida_pesfp.settings.diffusion.ConductivitySettings`.
    :return: the conductivity, or exit code 300 with the reason why the trajectory gives no trustworthy number.
    """
    chosen = ConductivitySettings.from_dict(parameters.get_dict())
    attributes = trajectory.base.attributes
    temperature = chosen.temperature if chosen.temperature is not None else attributes.get('temperature', None)
    if temperature is None:
        raise ValueError('neither the parameters nor the trajectory say the temperature')
    try:
        frames, doubts = to_trajectory(trajectory, chosen.unwrapped)
        found = analyse(frames, chosen.species, temperature, chosen.charge, chosen.diffusion, chosen.bayesian)
    except errors.PesfpError as error:
        return ExitCode(300, str(error))
    for doubt in doubts:
        Process.current().report(doubt)
    inherited = {name: attributes.get(name, None) for name in ('engine', 'potential_name')}
    return ConductivityData.from_conductivity(found, trajectory_uuid=trajectory.uuid, **inherited)


@calcfunction
def arrhenius(parameters: Dict, **conductivities: ConductivityData) -> ArrheniusData | ExitCode:
    """Activation energy from conductivities at several temperatures.

    A conductivity from a single window has no uncertainty and so no weight: it is left out, with that as the reason.

    :param parameters: see :class:`~aiida_pesfp.settings.arrhenius.ArrheniusSettings`.
    :param conductivities: by any keys.
    :return: the fit, or exit code 300 with the reason why they do not determine an activation energy.
    """
    chosen = ArrheniusSettings.from_dict(parameters.get_dict())
    unknown = sorted(set(chosen.exclude) - set(conductivities))
    if unknown:
        raise ValueError(f'{unknown[0]!r} is to be excluded, but given are {", ".join(sorted(conductivities))}')
    for name in ('formula', 'species'):
        values = {node.base.attributes.get(name, None) for node in conductivities.values()}
        if len(values) > 1:
            raise ValueError(f'conductivities of different {name}: {", ".join(sorted(map(str, values)))}')
    ordered = sorted(conductivities.items(), key=lambda item: (-item[1].temperature, item[0]))
    points = [node.to_point(_reason(key, node, chosen), key) for key, node in ordered]
    try:
        fit = fit_arrhenius(points, chosen.scale)
    except errors.NoArrheniusFit as error:
        return ExitCode(300, str(error))
    content = fit.as_dict()
    for entry, (_, node) in zip(content['points'], ordered):
        entry |= {'flags': node.flags, 'uuid': node.uuid}
    names = ('formula', 'species', 'engine', 'potential_name')
    inherited = {name: ordered[0][1].base.attributes.get(name, None) for name in names}
    used = [entry for entry in content['points'] if entry['excluded'] is None]
    return ArrheniusData(inherited | content | {'uses_flagged_points': any(entry['flags'] for entry in used)})


def _reason(key: str, node: ConductivityData, chosen: ArrheniusSettings) -> str | None:
    """Why the fit leaves a conductivity out; None if it does not."""
    if key in chosen.exclude:
        return chosen.exclude[key]
    found = [flag for flag in node.flags if flag in chosen.exclude_flags]
    if found:
        remarks = node.base.attributes.get('remarks')
        return '; '.join(f'{flag}: {remarks[flag]}' for flag in found)
    return 'no uncertainty: it comes from a single window' if node.conductivity_error is None else None
