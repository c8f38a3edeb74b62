"""``pesfp.conductivity``: from a structure to its activation energy, with any engine of molecular dynamics."""

from aiida.engine import ExitCode, ProcessBuilder, ToContext, WorkChain, if_
from aiida.orm import AbstractCode, Dict, List, StructureData, TrajectoryData

from aiida_pesfp.calculations.ports import limited, settings_port, validator_by
from aiida_pesfp.calculations.supercell import make_supercell
from aiida_pesfp.calculations.transport import arrhenius, conductivity
from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.conductivity import ConductivityData
from aiida_pesfp.errors import PesfpError
from aiida_pesfp.queries.nodes import how_it_ended
from aiida_pesfp.settings.arrhenius import ArrheniusSettings
from aiida_pesfp.settings.diffusion import EQUILIBRATION, ConductivitySettings
from aiida_pesfp.settings.md import MdSettings, SupercellSettings
from aiida_pesfp.transport.conductivity import charge_of
from aiida_pesfp.workflows.engines import ENGINES, Engine, engine_of_code

#: Runs shorter than this, ps, would be too short for the paper's equilibration of 5 ps and a window of 15 ps.
_SHORT_RUN = 20


def _check(inputs) -> None:
    given = [name for name in ENGINES if name in inputs]
    if len(given) != 1:
        words = f'not {" and ".join(given) or "none"}'
        raise ValueError(f'exactly one engine must be given ({" or ".join(ENGINES)}), {words}')
    if others := [name for name in ENGINES if f'{name}_relax' in inputs and name not in given]:
        raise ValueError(f'{others[0]}_relax is given, but the engine is {given[0]}')
    _check_different(inputs['temperatures'].get_list())
    analysis, symbols = inputs['analysis'].get_dict(), inputs['structure'].get_symbols_set()
    if (species := ConductivitySettings.from_dict(analysis).species) not in symbols:
        raise ValueError(f'no {species} in the structure ({", ".join(sorted(symbols))}): correct analysis.species')
    dynamics = inputs[given[0]]['md']['dynamics'].get_dict()
    check_run(ENGINES[given[0]].dynamics_workchain.SETTINGS.from_dict(dynamics), analysis)


def check_run(dynamics: MdSettings, analysis: dict) -> None:
    """Raise ``ValueError`` if an analysis finds no window, too few frames in it, or no charge of the ion, in a run."""
    analysis = ConductivitySettings.from_dict(analysis)
    if analysis.temperature is not None:
        raise ValueError('leave out analysis.temperature: it is that of each run')
    if analysis.charge is None:
        charge_of(analysis.species)
    frame, chosen = dynamics.timestep * dynamics.stride / 1000, analysis.diffusion
    if dynamics.steps * dynamics.timestep / 1000 + frame < chosen.equilibration + chosen.window:
        raise ValueError(
            f'a run of {dynamics.steps} steps of {dynamics.timestep:g} fs has no window of {chosen.window:g} ps after '
            f'{chosen.equilibration:g} ps of equilibration: run longer, or choose shorter ones'
        )
    if chosen.window - chosen.fit_start < 2 * frame:
        raise ValueError(f'frames that are {frame:g} ps apart are too few for a fit: choose a smaller stride')


def _check_different(temperatures: list[float]) -> None:
    if len(set(map(temperature_key, temperatures))) < len(temperatures):
        raise ValueError(f'a temperature is there twice: {temperatures}')


def temperature_key(temperature: float) -> str:
    """Key of a temperature (K) in namespaces: ``T667K``, ``T412_5K``."""
    return 'T{}K'.format(f'{temperature:.6f}'.rstrip('0').rstrip('.').replace('.', '_'))


def planned(engine: Engine, species: str, protocol: str | None, overrides: dict | None) -> dict:
    """The inputs of the protocol of an engine, with a complete ``analysis``.

    :raises ValueError: if they are not understood.
    """
    inputs = engine.dynamics_workchain.get_protocol_inputs(protocol, overrides)
    _check_different(inputs['temperatures'])
    duration, analysis = inputs['duration_ps'], {'species': species, 'equilibration_ps': EQUILIBRATION}
    analysis |= inputs['analysis']
    if duration < _SHORT_RUN:
        # Four windows. The results are flagged: they are not to be published.
        analysis |= {'equilibration_ps': duration / 6, 'window_ps': duration / 5, 'fit_start_ps': duration / 75}
    return inputs | {'analysis': analysis | (overrides or {}).get('analysis', {})}


class ConductivityWorkChain(WorkChain):
    """Relax, make a supercell, run molecular dynamics at each temperature, and fit (arXiv:2411.06804, Sec. II C).

    A temperature whose dynamics fail does not affect the others. A material that does not conduct has conductivities
    and no fit.
    """

    #: What overrides of the protocols of the engines do not reach by these names.
    NOT_OVERRIDDEN = (*ENGINES, *(f'{name}_relax' for name in ENGINES))

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('structure', valid_type=StructureData, help='Primitive cell of the crystal.')
        spec.input('temperatures', valid_type=List, validator=limited('temperatures'), help='Of the dynamics, K.')
        settings_port(spec, 'supercell', SupercellSettings, 'Parameters of pesfp.make_supercell.')
        settings_port(spec, 'analysis', ConductivitySettings, 'Parameters of pesfp.transport.conductivity.')
        settings_port(spec, 'arrhenius', ArrheniusSettings, 'Parameters of pesfp.transport.arrhenius.')
        for engine in ENGINES.values():
            for workchain, namespace, excluded, words in (
                (engine.dynamics_workchain, engine.name, ('md.structure', 'md.parent_folder'), 'Dynamics'),
                (engine.relaxation_workchain, f'{engine.name}_relax', ('relax.structure',), 'Relaxation, if any,'),
            ):
                optional = {'required': False, 'populate_defaults': False, 'help': f'{words} with {engine.title}.'}
                spec.expose_inputs(workchain, namespace=namespace, exclude=excluded, namespace_options=optional)
        spec.inputs.validator = validator_by(_check)
        spec.outline(
            cls.setup,
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxation),
            cls.make_supercell,
            cls.run_dynamics,
            cls.analyse,
            cls.fit,
        )
        spec.output('relaxed_structure', valid_type=StructureData, required=False, help='The cell after relaxation.')
        spec.output('supercell', valid_type=StructureData, required=False, help='The cell of the dynamics.')
        spec.output('supercell_matrix', valid_type=Dict, required=False, help='How it was made from the relaxed cell.')
        for name, kind in (('trajectories', TrajectoryData), ('conductivities', ConductivityData)):
            spec.output_namespace(name, valid_type=kind, dynamic=True, help='By temperature: T667K, ...')
        spec.output('arrhenius', valid_type=ArrheniusData, required=False, help='Fit, if the temperatures allow one.')
        spec.exit_code(320, 'ERROR_RELAXATION_FAILED', message='The relaxation failed: {reason}')
        spec.exit_code(330, 'ERROR_NO_SUPERCELL', message='No supercell can be made: {reason}')
        spec.exit_code(340, 'ERROR_NO_CONDUCTIVITY', message='There is no conductivity at any temperature: {reason}')
        spec.exit_code(410, 'ERROR_TEMPERATURES_MISSING', 'There is no conductivity at some temperatures: {reason}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structure: StructureData,
        *,
        engine: str | None = None,
        relax_code: AbstractCode | None = None,
        species: str = 'Li',
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
        **engine_inputs,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param code: the program of an engine on some computer, such as ``pesfp-md`` or SIESTA.
        :param structure: primitive cell of the crystal.
        :param engine: a name of :data:`~aiida_pesfp.workflows.engines.ENGINES`; by default the engine of the code.
        :param relax_code: program of the engine that relaxes. Without it the structure is not relaxed.
        :param species: the mobile ion.
        :param protocol, overrides, options: of the engine, as of its workchain; overrides such as ``temperatures`` (K).
        :param engine_inputs: what the engine needs: ``potential``, or ``pseudo_family``.
        :raises ValueError: if the code belongs to no engine, or the engine needs other inputs.
        """
        row = engine_of_code(code, engine_inputs) if engine is None else ENGINES[engine]
        if problem := row.problem(engine_inputs):
            raise ValueError(problem)
        dynamics, relaxation = row.dynamics_workchain, row.relaxation_workchain
        inputs = planned(row, species, protocol, overrides)
        temperatures = inputs['temperatures']

        builder = cls.get_builder()
        builder.structure, builder.temperatures = structure, temperatures
        builder.supercell = SupercellSettings.from_dict(inputs['supercell']).as_dict()
        builder.analysis, builder.arrhenius = inputs['analysis'], inputs.get('arrhenius', {})
        # The supercell and the temperature are set when the dynamics are run.
        for name in ENGINES:
            builder.pop(name, None)
            builder.pop(f'{name}_relax', None)
        common = (protocol, overrides, options)
        inner = dynamics.get_builder_from_protocol(code, structure, temperatures[0], *common, **engine_inputs)
        inner.md.pop('structure')
        builder[row.name] = inner
        if relax_code is not None:
            inner = relaxation.get_builder_from_protocol(relax_code, structure, *common, **engine_inputs)
            inner.relax.pop('structure')
            builder[f'{row.name}_relax'] = inner
        return builder

    @property
    def engine(self) -> Engine:
        """The engine that is given."""
        return next(engine for name, engine in ENGINES.items() if name in self.inputs)

    def setup(self) -> None:
        """Start from the input structure."""
        self.ctx.structure, self.ctx.problems, self.ctx.conductivities = self.inputs.structure, [], {}

    def should_relax(self) -> bool:
        """Whether a relaxation was requested."""
        return f'{self.engine.name}_relax' in self.inputs

    def relax(self) -> ToContext:
        """Relax the cell and the atoms in it."""
        relaxation = self.engine.relaxation_workchain
        inputs = self.exposed_inputs(relaxation, f'{self.engine.name}_relax')
        inputs.relax.structure = self.ctx.structure
        inputs.setdefault('metadata', {})['call_link_label'] = 'relax'
        node = self.submit(relaxation, **inputs)
        self.report(f'relaxing {self.ctx.structure.get_formula()}: {node.process_label}<{node.pk}>')
        return ToContext(relaxation=node)

    def inspect_relaxation(self) -> ExitCode | None:
        """Take the relaxed structure."""
        node = self.ctx.relaxation
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_RELAXATION_FAILED.format(reason=how_it_ended(node))
        self.ctx.structure = node.outputs[self.engine.relaxed]
        self.out('relaxed_structure', self.ctx.structure)

    def make_supercell(self) -> ExitCode | None:
        """Repeat the cell until it is large enough."""
        label = {'call_link_label': 'make_supercell'}
        try:
            made = make_supercell(self.ctx.structure, self.inputs.supercell, metadata=label)
        except (ValueError, PesfpError) as error:
            return self.exit_codes.ERROR_NO_SUPERCELL.format(reason=str(error))
        self.ctx.supercell = made['structure']
        self.out('supercell', made['structure'])
        self.out('supercell_matrix', made['matrix'])
        self.report(f'the supercell has {len(made["structure"].sites)} atoms')

    def run_dynamics(self) -> ToContext:
        """Run all temperatures side by side."""
        dynamics, running = self.engine.dynamics_workchain, {}
        for temperature in self.inputs.temperatures:
            key = temperature_key(temperature)
            inputs = self.exposed_inputs(dynamics, self.engine.name)
            inputs.md.structure = self.ctx.supercell
            inputs.md.dynamics = Dict(inputs.md.dynamics.get_dict() | {'temperature': temperature})
            inputs.setdefault('metadata', {})['call_link_label'] = f'dynamics_{key}'
            running[key] = self.submit(dynamics, **inputs)
            self.report(f'dynamics at {temperature:g} K: {running[key].process_label}<{running[key].pk}>')
        return ToContext(**running)

    def analyse(self) -> ExitCode | None:
        """Compute the conductivity at each temperature whose dynamics succeeded."""
        for key in map(temperature_key, self.inputs.temperatures):
            node = self.ctx[key]
            if 'trajectory' in node.outputs:
                self.out(f'trajectories.{key}', node.outputs.trajectory)
            if not node.is_finished_ok:
                self.ctx.problems.append(f'{key}: its dynamics failed ({how_it_ended(node)})')
                continue
            label = {'call_link_label': f'conductivity_{key}'}
            found, analysis = conductivity.run_get_node(node.outputs.trajectory, self.inputs.analysis, metadata=label)
            if not analysis.is_finished_ok:
                self.ctx.problems.append(f'{key}: {analysis.exit_message}')
                continue
            self.out(f'conductivities.{key}', found)
            self.ctx.conductivities[key] = found
            flags = f', flagged: {", ".join(found.flags)}' if found.flags else ''
            error = 'unknown' if found.conductivity_error is None else f'{found.conductivity_error:.2g}'
            self.report(f'{key}: {found.conductivity:.3g} +- {error} S/cm{flags}')
        if not self.ctx.conductivities:
            return self.exit_codes.ERROR_NO_CONDUCTIVITY.format(reason='; '.join(self.ctx.problems))

    def fit(self) -> ExitCode | None:
        """Fit the activation energy, if the conductivities determine one."""
        if len(self.ctx.conductivities) > 1:
            given = {'metadata': {'call_link_label': 'arrhenius'}, **self.ctx.conductivities}
            found, analysis = arrhenius.run_get_node(self.inputs.arrhenius, **given)
            if analysis.is_finished_ok:
                self.out('arrhenius', found)
                energy, error = 1000 * found.activation_energy, 1000 * found.activation_energy_error
                self.report(f'activation energy {energy:.0f} +- {error:.0f} meV')
            else:
                self.report(f'no Arrhenius fit: {analysis.exit_message}')
        else:
            self.report('no Arrhenius fit: there is a conductivity at one temperature only')
        if self.ctx.problems:
            return self.exit_codes.ERROR_TEMPERATURES_MISSING.format(reason='; '.join(self.ctx.problems))
