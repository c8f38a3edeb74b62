"""One ranking from those by several potentials."""

import numpy as np

#: A structure whose places differ by so many times the typical difference is told.
UNUSUAL = 2.0
#: With fewer structures, a typical difference means nothing.
FEW = 5


def consensus(rankings: dict[str, list[str]]) -> list[dict]:
    """The mean of the places that each ranking gives a structure (Borda 1784).

    Structures that not all rankings have come after the others, in the order of the first ranking, as an average over
    fewer potentials does not compare.

    :param rankings: name -> keys of structures, the best first. The first ranking has all structures.
    :returns: for each structure, the best first, its ``key``; ``place`` in each ranking, from 1; their ``mean_place``,
        None if one is missing; the ``spread`` of its places, as a share of the number of structures that all have; and
        whether it is ``disputed``: its spread is more than twice the root mean square of all spreads. None for fewer
        than five structures, and for those that are missing somewhere.
    """
    first, *others = rankings.values()
    common = [key for key in first if all(key in other for other in others)]
    # Places among the structures that all rankings have: those of others would shift them.
    places = {
        name: {key: place for place, key in enumerate((k for k in keys if k in set(common)), start=1)}
        for name, keys in rankings.items()
    }
    values = np.array([[own[key] for own in places.values()] for key in common], dtype=float).reshape(
        len(common), len(places)
    )
    spreads = np.ptp(values, axis=1) / max(1, len(common) - 1) if len(common) else np.zeros(0)
    typical = float(np.sqrt((spreads**2).mean())) if len(common) else 0.0
    rows = [
        {
            'key': key,
            'places': {name: own[key] for name, own in places.items()},
            'mean_place': float(of_key.mean()),
            'spread': float(spread),
            'disputed': bool(spread > UNUSUAL * typical) if len(common) >= FEW else None,
        }
        for key, of_key, spread in zip(common, values, spreads)
    ]
    rows.sort(key=lambda row: (row['mean_place'], first.index(row['key'])))
    missing = {'places': {}, 'mean_place': None, 'spread': None, 'disputed': None}
    return rows + [{'key': key} | missing for key in first if key not in common]
