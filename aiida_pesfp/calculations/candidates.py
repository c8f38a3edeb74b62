"""The candidates of a screening and what barriers and molecular dynamics found for them, as one table."""

from aiida.engine import calcfunction
from aiida.orm import Dict

from aiida_pesfp.data.barrier import table_row
from aiida_pesfp.fingerprint.quantities import RANKING_NAMES

#: Columns that are copied from the ranking.
FROM_RANKING = ('key', 'formula', *RANKING_NAMES, 'descriptors', 'structure')
#: Columns of each engine, after its name: ``ml_conductivity_300K``, ...
OF_ENGINE = (
    *('conductivity_300K', 'conductivity_300K_error', 'activation_energy', 'activation_energy_error'),
    *('highest_conductivity', 'highest_conductivity_error', 'highest_temperature'),
)


@calcfunction
def tabulate_candidates(ranking: Dict, progress: Dict, **results) -> Dict:
    """One row for each candidate: descriptors, barriers, what each engine found, flags, problems, UUIDs of the nodes.

    :param ranking: of the screening.
    :param progress: ``engines``, their names; ``candidates``, their keys in order; ``problems``, key -> engine -> why a
        result is missing; ``barrier`` counts as one.
    :param results: engine -> key -> name -> conductivity or Arrhenius fit; ``barrier`` -> key -> name -> barrier.
    :return: ``rows``. Conductivities in S/cm, energies in eV, temperatures in K.
    """
    found, told = {row['key']: row for row in ranking['rows']}, progress.get_dict()
    rows = []
    for key in told['candidates']:
        row = {name: found[key].get(name) for name in FROM_RANKING}
        row |= {'flags': {}, 'nodes': {}, 'problems': told['problems'].get(key, {})}
        barriers = results.get('barrier', {}).get(key, {})
        row |= table_row(barriers['barrier'].base.attributes.all if barriers else {})
        row['nodes'] |= {'barrier': [node.uuid for node in barriers.values()]} if barriers else {}
        for engine in told['engines']:
            nodes = list(results.get(engine, {}).get(key, {}).values())
            row |= {f'{engine}_{name}': value for name, value in summarise(nodes).items()}
            if nodes:
                row['nodes'][engine] = [node.uuid for node in nodes]
                # By temperature (K, as text), without those that have none.
                row['flags'][engine] = {f'{node.temperature:g}': node.flags for node in _split(nodes)[0] if node.flags}
        rows.append(row)
    return Dict({'rows': rows})


def summarise(nodes) -> dict[str, float | None]:
    """The entries of :data:`OF_ENGINE` from conductivities, and an Arrhenius fit if there is one."""
    conductivities, fits = _split(nodes)
    values = dict.fromkeys(OF_ENGINE)
    if conductivities:
        hottest = max(conductivities, key=lambda node: node.temperature)
        for name in ('temperature', 'conductivity', 'conductivity_error'):
            values[f'highest_{name}'] = getattr(hottest, name)
    for fit in fits:
        values |= {name: fit.get(name) for name in OF_ENGINE[:4]}
    return values


def _split(nodes) -> tuple[list, list]:
    """Conductivities and fits. By what they hold: the classes are those of the nodes, wherever they are loaded."""
    fits = [node for node in nodes if isinstance(node, Dict)]
    return [node for node in nodes if not isinstance(node, Dict)], fits
