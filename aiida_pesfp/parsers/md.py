"""Parser of ``pesfp-md``: a trajectory of all complete steps, however the job ended."""

import json
from pathlib import Path

from aiida.engine import ExitCode
from aiida.orm import Dict

from aiida_pesfp.calculations.trajectories import new_trajectory
from aiida_pesfp.parsers.program import ProgramParser
from aiida_pesfp.settings.md import PotentialMdSettings
from aiida_pesfp.trajectories import ours
from aiida_pesfp.trajectories.stability import LARGEST_DRIFT, has_drifted


class MdParser(ProgramParser):
    """Keeps all complete steps, and reports how the run ended."""

    CACHE_VERSION = 1
    #: Name of the engine in ``workflows/engines.py``.
    ENGINE = 'ml'

    def store(self, run: dict, folder: Path) -> ExitCode | None:
        drift = self._add_outputs(run, folder / run['name'])
        exit_code = self.exit_code(run)
        if drift is not None and (exit_code is None or exit_code.status >= 400):
            return self.exit_codes.ERROR_ENERGY_DRIFT.format(drift=drift)
        return exit_code

    def _add_outputs(self, run: dict, folder: Path) -> float | None:
        """Attach the outputs; the drift of the conserved quantity, eV/atom/ps, if it spoils the dynamics."""
        state = ours.last_state(folder)
        if state is None:
            return None
        dynamics = PotentialMdSettings.from_dict(self.node.inputs.dynamics.get_dict())
        stored = ours.count_frames(folder / ours.TRAJECTORY)
        path = folder / (ours.TRAJECTORY if stored else ours.CHECKPOINT)
        symbols, arrays = ours.read_frames(path, dynamics.timestep)
        found = ours.statistics(arrays['times'], arrays['temperatures'], arrays['conserved'], len(symbols))
        last, seconds = state.info['step'], state.info['seconds']
        steps = last - json.loads((folder / ours.SETTINGS).read_text())['first_step']
        parameters = {
            'steps': steps,
            'last_step': last,
            **found,
            'seconds': seconds,
            'ns_per_day': 86400e-6 * steps * dynamics.timestep / seconds if seconds else None,
            'device': run['device'],
            'version': run['version'],
        }
        self.out('output_parameters', Dict(parameters))
        if stored:
            names = {'engine': self.ENGINE, 'potential_name': self.node.inputs.potential.name}
            attributes = dynamics.as_dict() | names | {'timestep_fs': dynamics.timestep}
            self.out('trajectory', new_trajectory(symbols, arrays.pop('steps'), arrays, attributes))
        drift, duration = found['energy_drift'], arrays['times'][-1] - arrays['times'][0]
        return drift if has_drifted(drift, duration, dynamics.temperature, LARGEST_DRIFT) else None
