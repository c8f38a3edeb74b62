"""One ranking from those by several potentials."""

import numpy as np
from scipy.stats import spearmanr

#: A structure whose places differ by so many times the typical difference is told.
UNUSUAL = 2.0
#: With fewer structures, none can be so far from the others.
FEW = 6


def consensus(rankings: dict[str, list[str]]) -> tuple[list[dict], dict[str, float | None]]:
    """The mean of the places that each ranking gives a structure (Borda 1784).

    Structures that not all rankings have come after the others, in the order of the first ranking, as an average over
    fewer potentials does not compare.

    :param rankings: name -> keys of structures, the best first. The first ranking has all structures.
    :returns: for each structure, the best first, its ``key``; ``places`` in each ranking among those that all have,
        from 1; their ``mean_place``, None if one is missing; the ``spread`` of its places, as a share of the largest
        possible one; and whether it is ``disputed``: its spread is more than twice the root mean square of all spreads.
        None for fewer than six structures, and for those that are missing somewhere. Then the rank correlation
        (Spearman) of each further ranking with the first one; None for fewer than two structures.
    """
    (_, first), *_ = rankings.items()
    common = set(first).intersection(*rankings.values())
    places = {
        name: {key: place for place, key in enumerate((key for key in keys if key in common), start=1)}
        for name, keys in rankings.items()
    }
    order = {key: place for place, key in enumerate(first)}
    kept = sorted(common, key=order.get)
    values = np.array([[own[key] for own in places.values()] for key in kept], dtype=float).reshape(-1, len(places))
    spreads = np.ptp(values, axis=1) / max(1, len(kept) - 1)
    typical = np.sqrt((spreads**2).mean()) if kept else 0.0
    rows = [
        {
            'key': key,
            'places': {name: own[key] for name, own in places.items()},
            'mean_place': float(of_key.mean()),
            'spread': float(spread),
            'disputed': bool(spread > UNUSUAL * typical) if len(kept) >= FEW else None,
        }
        for key, of_key, spread in zip(kept, values, spreads)
    ]
    rows.sort(key=lambda row: (row['mean_place'], order[row['key']]))
    missing = {'places': {}, 'mean_place': None, 'spread': None, 'disputed': None}
    agreement = {
        name: float(spearmanr(values[:, 0], column).statistic) if len(kept) > 1 else None
        for name, column in zip(list(places)[1:], values.T[1:])
    }
    return rows + [{'key': key} | missing for key in first if key not in common], agreement
