"""The steps of a screening that put orderings in the place of disordered structures, until there are enough."""

from collections.abc import Mapping

from aiida.engine import append_
from aiida.orm import Dict, Str

from aiida_pesfp.calculations.orderings import (
    OrderCalculation,
    order,
    ordering_keys,
    ordering_numbers,
    pool_orderings,
)
from aiida_pesfp.calculations.ports import settings_port
from aiida_pesfp.calculations.selection import LOST
from aiida_pesfp.crystals.ordering.order import weights
from aiida_pesfp.errors import StructureError
from aiida_pesfp.fingerprint.ensemble import pool
from aiida_pesfp.queries.nodes import how_it_ended
from aiida_pesfp.queries.structures import records_of
from aiida_pesfp.settings.ordering import EnsembleSettings


class OrderingSteps:
    """Part of ``pesfp.screen``, whose context has the structures that are ``selected``, and ``descriptors`` by key."""

    @classmethod
    def define_ordering(cls, spec) -> None:
        """Add the inputs."""
        settings_port(spec, 'ordering', EnsembleSettings, 'How disordered structures are ordered.')
        own = ('structure', 'species', 'parameters', 'record', 'potential')
        help = 'How jobs of pesfp-order run, for orderings that need the potential.'
        options = {'required': False, 'populate_defaults': False, 'help': help}
        spec.expose_inputs(OrderCalculation, namespace='order', exclude=own, namespace_options=options)

    @property
    def ordering(self) -> EnsembleSettings:
        """The settings of the orderings."""
        return EnsembleSettings.from_dict(self.inputs.ordering.get_dict())

    def begin_orderings(self) -> None:
        """Take the disordered structures out of the selected ones, which are to be scanned in the first round."""
        disordered = {key: node for key, node in self.ctx.selected.items() if node.has_vacancies or node.is_alloy}
        # What is known of the orderings by their keys, how many were asked for, and which structures have no others.
        self.ctx.orderings, self.ctx.asked, self.ctx.all_made = {}, dict.fromkeys(disordered, 0), []
        self.ctx.order_problems = {}
        self.ctx.selected = {key: node for key, node in self.ctx.selected.items() if key not in disordered}
        self.ctx.to_scan, self.ctx.to_order, self.ctx.is_begun = list(self.ctx.selected), list(disordered), False

    def begin_round(self) -> bool:
        """Whether there is a first round, or one for the structures that have too few orderings."""
        if self.ctx.is_begun:
            self.ctx.to_order = [key for key in self.ctx.orderings if self._is_short(key)]
            if self.ctx.to_order:
                self.report(f'more orderings are needed of {", ".join(self.ctx.to_order)}')
            return bool(self.ctx.to_order)
        self.ctx.is_begun = True
        return True

    def any_to_order(self) -> bool:
        """Whether there are structures of which orderings are to be made."""
        return bool(self.ctx.to_order)

    def order(self) -> None:
        """Make orderings: here, or if they need the potential, of as many structures as jobs may run at once."""
        number = self.inputs.max_concurrent_jobs.value if self.ordering.needs_potential else len(self.ctx.to_order)
        keys, self.ctx.to_order = self.ctx.to_order[:number], self.ctx.to_order[number:]
        structures = {key: self.inputs.structures[key] for key in keys}
        records = records_of(structures.values())
        self.ctx.ordered, self.ctx.order_jobs = [], []
        for key, node in structures.items():
            settings = self.ordering.after(self.ctx.asked[key])
            inputs = {'record': records[node.uuid]} if node.uuid in records else {}
            inputs |= {'structure': node, 'species': Str(self.parameters.species)}
            inputs['parameters'] = Dict(settings.as_dict())
            if settings.needs_potential:
                job = self.exposed_inputs(OrderCalculation, 'order') | {'potential': self.inputs.scan.potential}
                running = self.submit(OrderCalculation, **job, **inputs)
                self.report(f'launching OrderCalculation<{running.pk}> for {key}')
                self.ctx.ordered.append(key)
                self.to_context(order_jobs=append_(running))
                continue
            try:
                self._take_orderings(key, order(**inputs))
            except StructureError as error:
                self._cannot_order(key, type(error).__name__, str(error))

    def collect_orderings(self) -> None:
        """Take what the jobs have made. A job that failed does not affect the others."""
        for key, job in zip(self.ctx.ordered, self.ctx.order_jobs):
            if job.is_finished_ok:
                self._take_orderings(key, job.outputs)
            elif job.exit_status == OrderCalculation.exit_codes.ERROR_STRUCTURE_FAILED.status:
                told = job.outputs.output_parameters
                self._cannot_order(key, told['error_type'], told['error'])
            else:
                self._cannot_order(key, LOST, how_it_ended(job))

    def pool(self) -> None:
        """Put the mean of its orderings in the place of each disordered structure."""
        for key, about in self.ctx.orderings.items():
            members, shares = self._members(key)
            if not members:
                words = 'none of its orderings could be scanned, see `rejected` for each'
                self.ctx.others[key] = {'error_type': 'StructureError', 'error': words}
                continue
            doubts = [doubt for one in about.values() for doubt in one['doubts']] + self.ctx.order_problems.get(key, [])
            if len(members) < len(about):
                doubts.append(f'{len(about) - len(members)} of its {len(about)} orderings could not be scanned')
            settings, parameters = self.ordering, {'weights': shares, 'doubts': list(dict.fromkeys(doubts))}
            parameters |= {'largest_error': settings.largest_error}
            parameters |= {'way_out': settings.way_out(key in self.ctx.all_made)}
            ensemble = pool_orderings(self.inputs.structures[key], Dict(parameters), **members)
            for one in members:
                del self.ctx.descriptors[one]
            self.ctx.descriptors[key] = ensemble
            self.out(f'descriptors.{key}', ensemble)

    def _take_orderings(self, key: str, found: Mapping) -> None:
        """Let the outputs of an ordering be scanned."""
        about, settings = found['about'].get_dict(), self.ordering.after(self.ctx.asked[key])
        taken = [*self.inputs.structures, *(one for keys in self.ctx.orderings.values() for one in keys)]
        numbers = ordering_numbers(about)
        named = dict(zip(ordering_keys(key, numbers, taken), (f'ordering_{number}' for number in numbers)))
        self.ctx.orderings.setdefault(key, {}).update({one: about[name] for one, name in named.items()})
        self.ctx.selected |= {one: found[name] for one, name in named.items()}
        self.ctx.to_scan += named
        self.ctx.asked[key] += settings.number
        if len(numbers) < settings.number and settings.choice != 'monte_carlo':
            self.ctx.all_made.append(key)
        self.report(f'{key}: {len(self.ctx.orderings[key])} orderings')

    def _cannot_order(self, key: str, error_type: str, error: str) -> None:
        """Note why a structure has no orderings, or no more of them."""
        self.report(f'{key} cannot be ordered: {error}')
        if key in self.ctx.orderings:
            self.ctx.all_made.append(key)
            self.ctx.order_problems[key] = [f'more orderings could not be made: {error}']
        else:
            self.ctx.others[key] = {'error_type': error_type, 'error': error}

    def _members(self, key: str) -> tuple[dict, dict[str, float]]:
        """Descriptors and weights of the orderings of a structure that were scanned."""
        about = self.ctx.orderings[key]
        members = {one: self.ctx.descriptors[one] for one in about if one in self.ctx.descriptors}
        energies, counts = ([about[one][name] for one in members] for name in ('energy', 'count'))
        return members, dict(zip(members, weights(energies, counts, self.ordering)))

    def _is_short(self, key: str) -> bool:
        """Whether a structure needs more orderings, and may have them."""
        settings, (members, shares) = self.ordering, self._members(key)
        if not settings.auto or not members or key in self.ctx.all_made or settings.after(self.ctx.asked[key]) is None:
            return False
        values = [one.get_dict() for one in members.values()]
        ensemble = pool(values, list(shares.values()), self.parameters.descriptors.xi)
        return ensemble.shortfall(settings.largest_error) is not None
