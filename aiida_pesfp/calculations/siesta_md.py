"""Calculation job for molecular dynamics with SIESTA, and the monitor that stops one that diverges."""

import tempfile
from pathlib import Path

from aiida.common import timezone
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine.processes.calcjobs.monitors import CalcJobMonitorResult
from aiida.orm import CalcJobNode, Dict, RemoteData
from aiida.transports import Transport
from aiida_siesta.calculations.siesta import SiestaCalculation
from aiida_siesta.utils.tkdict import FDFDict

from aiida_pesfp.calculations.ports import dynamics_ports, job_exit_codes, keep_exit_status, settings_port
from aiida_pesfp.settings.md import SiestaMdSettings
from aiida_pesfp.trajectories.siesta import CorruptFile, Energies, read_mde
from aiida_pesfp.trajectories.stability import divergence

#: fdf labels that the input `dynamics` or this class sets, and labels of other kinds of dynamics.
RESERVED = (
    *('md-type-of-run', 'md-length-time-step', 'md-initial-time-step', 'md-final-time-step', 'md-steps'),
    *('md-initial-temperature', 'md-target-temperature', 'md-nose-mass', 'md-use-save-xv', 'md-variable-cell'),
    *('md-num-cg-steps', 'md-anneal-option', 'md-quench', 'md-fire-quench', 'write-md-history'),
    *('max-scf-iterations', 'max-walltime-slack', 'use-save-data'),
)


class SiestaMdCalculation(SiestaCalculation):
    """Molecular dynamics of a supercell with SIESTA and the Nose thermostat.

    Basis, pseudopotentials, k-points and all other fdf options are those of ``SiestaCalculation``. A restart copies
    from ``parent_folder`` the files that it needs, but not those that SIESTA appends to.
    """

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 1

    #: Positions from which a restart began; SIESTA overwrites the file that it reads.
    PARENT_XV = 'parent.XV'
    #: Share of the wallclock time that SIESTA leaves unused, and its limits in s: an SCF iteration must fit into it.
    SLACK_SHARE, SLACK_LIMITS = 0.05, (5, 900)

    @classmethod
    def define(cls, spec):
        super().define(spec)
        # Bands and optics need a calculation of their own; a restart takes more than the density matrix.
        for name in ('bandskpoints', 'optical', 'parent_calc_folder'):
            del spec.inputs[name]
        for name in ('bands', 'optical_eps2', 'forces_and_stress', 'output_structure', 'ion_files'):
            del spec.outputs[name]
        settings_port(spec, 'dynamics', SiestaMdSettings, 'Settings of the dynamics.')
        dynamics_ports(spec)
        siesta_validator = spec.inputs['parameters'].validator
        spec.inputs['parameters'].validator = lambda node, port: siesta_validator(node, port) or _validate_labels(node)
        all_validator = spec.inputs.validator
        spec.inputs.validator = lambda inputs, port: all_validator(inputs, port) or _validate_inputs(inputs)
        spec.inputs['metadata']['options']['parser_name'].default = 'pesfp.siesta_md'
        spec.outputs['output_parameters'].help = (
            'steps, last_step, temperature_mean, temperature_std (K), energy_drift (eV/atom/ps), seconds, '
            'unconverged_steps, restartable, source, siesta_version, messages.'
        )
        job_exit_codes(spec)
        spec.exit_code(310, 'ERROR_FATAL', message='SIESTA stopped: {reason}')
        spec.exit_code(320, 'ERROR_SCF_FAILED', message='The self-consistent cycle does not converge: {reason}')
        spec.exit_code(360, 'ERROR_ATOMS_LOST', message='Atoms were lost: {reason}')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        options = self.inputs.metadata.options
        self._complete_input(Path(folder.get_abs_path(options.input_filename)))
        for unused in (f'{options.prefix}.xml', self._BASIS_ENTHALPY_FILE, self._HARRIS_ENTHALPY_FILE, '*.ion.xml'):
            info.retrieve_list.remove(unused)
        keep_exit_status(info)
        names = [f'{options.prefix}.{suffix}' for suffix in ('MD', 'MDE', 'ANI', 'XV', 'NOSE_RESTART')]
        info.retrieve_temporary_list = [*names, self.PARENT_XV]
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            before = (parent.creator and parent.creator.get_option('prefix')) or self._DEFAULT_PREFIX
            copies = [(suffix, f'{options.prefix}.{suffix}') for suffix in ('XV', 'NOSE_RESTART', 'DM')]
            for suffix, copy in (*copies, ('XV', self.PARENT_XV)):
                source = f'{parent.get_remote_path()}/{before}.{suffix}'
                info.remote_copy_list.append((parent.computer.uuid, source, copy))
        return info

    def _complete_input(self, path: Path) -> None:
        """Add the dynamics to the input, without the XML file, which grows to gigabytes in a long run."""
        dynamics = SiestaMdSettings.from_dict(self.inputs.dynamics.get_dict())
        temperature = f'{float(dynamics.temperature)!r} K'
        labels = {
            'xml-write': 'F',
            'dm-use-save-dm': 'T',
            'md-type-of-run': 'Nose',
            'md-initial-time-step': 1,
            'md-final-time-step': dynamics.steps,
            'md-length-time-step': f'{float(dynamics.timestep)!r} fs',
            'md-initial-temperature': temperature,
            'md-target-temperature': temperature,
            'md-nose-mass': f'{float(dynamics.nose_mass)!r} Ry*fs**2',
            'md-use-save-xv': 'T',
            'write-md-history': 'T',
            'max-scf-iterations': dynamics.max_scf_iterations,
        }
        if 'scf-must-converge' not in FDFDict(self.inputs.parameters.get_dict()):
            labels['scf-must-converge'] = 'F'
        unwanted = ['xmlwrite', 'dmusesavedm']
        if walltime := self.inputs.metadata.options.get('max_wallclock_seconds'):
            low, high = self.SLACK_LIMITS
            labels['max-walltime-slack'] = f'{min(max(low, self.SLACK_SHARE * walltime), high):.0f}'
        else:
            unwanted.append('maxwalltime')
        lines = [line for line in path.read_text().splitlines() if line.split(' ')[0] not in unwanted]
        lines += ['#', '# -- Molecular dynamics', '#', *(f'{label} {value}' for label, value in labels.items()), '']
        path.write_text('\n'.join(lines))

    @staticmethod
    def steps_so_far(job: CalcJobNode) -> tuple[int, float]:
        """Steps of a running job, and the seconds that they took."""
        with job.get_transport() as transport:
            try:
                steps = len(energies_so_far(job, transport).steps)
            except CorruptFile as error:
                raise ValueError(str(error)) from error
        seen = job.get_last_job_info()
        return steps, (seen and seen.wallclock_time_seconds) or (timezone.now() - job.ctime).total_seconds()


def parameters_of(parent: RemoteData | None) -> dict:
    """The output parameters of the job that a run restarts from, as far as they are known."""
    creator = None if parent is None else parent.creator
    known = creator is not None and 'output_parameters' in creator.outputs
    return creator.outputs.output_parameters.get_dict() if known else {}


def energies_so_far(node: CalcJobNode, transport: Transport) -> Energies:
    """Energies of all complete steps of a running job.

    :raises OSError: if it has written none yet.
    :raises CorruptFile: if they cannot be read.
    """
    workdir, name = node.get_remote_workdir(), f'{node.get_option("prefix")}.MDE'
    if workdir is None:
        raise FileNotFoundError('not yet uploaded')
    with tempfile.TemporaryDirectory() as folder:
        transport.getfile(f'{workdir}/{name}', f'{folder}/{name}')
        return read_mde(Path(folder, name))


def stop_diverging(
    node: CalcJobNode, transport: Transport, temperature_factor: float = 10.0, energy_limit: float = 1.0
) -> CalcJobMonitorResult | None:
    """Monitor: stop a run that diverges. The parser then finds the same reason (exit code 340).

    :param temperature_factor: highest temperature allowed, in units of the target.
    :param energy_limit: largest allowed change of the conserved quantity, eV/atom.
    """
    try:
        energies = energies_so_far(node, transport)
    except (OSError, CorruptFile):
        return None
    atoms, target = len(node.inputs.structure.sites), node.inputs.dynamics['temperature']
    reason = divergence(
        energies.temperatures, energies.energies, energies.conserved, atoms, target, temperature_factor, energy_limit
    )
    return None if reason is None else CalcJobMonitorResult(message=reason, override_exit_code=False)


def _validate_labels(node: Dict | None) -> str | None:
    labels = FDFDict(node.get_dict() if node is not None else {})
    for label in RESERVED:
        if label in labels:
            written = labels.get_last_untranslated_key(label)
            return f'the fdf label {written!r} belongs to the dynamics: use the input `dynamics`, or leave it out'
    return None


def _validate_inputs(inputs) -> str | None:
    if inputs.get('lua'):
        return 'molecular dynamics with the Nose thermostat cannot be combined with a Lua script'
    if 'basis' in inputs and inputs['basis'].get_dict().get('floating_sites'):
        return 'floating sites cannot take part in molecular dynamics'
    parent = inputs.get('parent_folder')
    if not parameters_of(parent).get('restartable', True):
        return f'parent folder {parent.pk} cannot be continued without losing a step: take an earlier one'
    return None
