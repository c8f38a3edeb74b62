"""The probability that a material conducts well at room temperature: models by descriptors, composition, or both.

Run ``python benchmarks/probability.py FOLDER/*/0.5/assessment.json`` on what ``assess.py`` left, the first that of the
reference. Each model predicts materials whose group it has not seen: nested cross-validation by groups, see
``aiida_pesfp/assessment/validation.py``. Good conductors are above 1e-4 S/cm.
"""

import argparse
import json
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from labelled import SETS, crystal_of, files_of
from matminer.featurizers import composition as of_composition
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.assessment.classes import class_weights
from aiida_pesfp.assessment.comparison import compare
from aiida_pesfp.assessment.features import LEAST_FREE_VOLUME
from aiida_pesfp.assessment.models import TrainingSet
from aiida_pesfp.assessment.scores import MEMBERSHIP
from aiida_pesfp.assessment.validation import (
    brier_score,
    groups_of,
    log_loss,
    nested_predictions,
    reliability,
)
from aiida_pesfp.settings.assessment import ClassSettings, ScoreSettings, TrainingSettings

#: Sets with conductivities at room temperature, in the order in which a material counts.
SETS_USED = ('obelix', 'obelix_disordered', 'laskowski2023')
GOOD = ClassSettings(good=1e-4, bad=1e-4, temperature=300.0)
SETTINGS = ScoreSettings(resamples=4000)
LOWER = ('mpe', 'barrier_joint', 'barrier_3d')
VOLUMES = ('fv_connected', 'fv_disconnected', 'fv_joint')


@dataclass
class Materials:
    """What is known of the materials: (n,) names and groups, weights, and name of a potential -> its entries."""

    names: list[str]
    structures: list[Structure]
    groups: list[int]
    good: np.ndarray
    bad: np.ndarray
    entries: dict[str, list[dict | None]]


def read(paths: list[Path], pooled: bool) -> Materials:
    """The materials of the first assessment; those of one formula and group count once.

    :param pooled: take all sets, each with the classes of its temperature.
    """
    contents = [json.loads(path.read_text()) for path in paths]
    first, found, structures = contents[0]['sets'], {}, {}
    for name in first if pooled else SETS_USED:
        files = files_of(name) if SETS[name].structures else {}
        for key, material in first[name]['materials'].items():
            scanned = paths[0].parent / (SETS[name].scans or name) / 'structures' / f'{key}.json'
            read = partial(crystal_of, name, files[key]) if key in files else partial(Structure.from_file, scanned)
            structures[f'{name} {key}'] = read()
            found[f'{name} {key}'] = name, key, material
    groups = dict(zip(structures, groups_of(structures, 'Li')))
    kept = {(groups[label], found[label][2]['formula']): label for label in reversed(found)}
    labels = [label for label in found if label in set(kept.values())]
    own = [(found[label][2]['good_weight'], found[label][2]['bad_weight']) for label in labels]
    weights = np.array(own if pooled else [weights_of(found[label][2]) for label in labels])
    entries = {
        content['potential']: [
            content['sets'].get(name, {'materials': {}})['materials'].get(key)
            for name, key, _ in map(found.get, labels)
        ]
        for content in contents
    }
    return Materials(
        labels, [structures[label] for label in labels], [groups[label] for label in labels], *weights.T, entries
    )


def weights_of(material: dict) -> tuple[float, float]:
    """Probabilities that its conductivity is above the threshold and below, mean over its measurements."""
    found = []
    for one in material['values']:
        if one['limit']:
            found.append((float(one['limit'] == '>'), float(one['limit'] == '<')))
        else:
            found.append(class_weights(one['conductivity'], one['error'], GOOD))
    return tuple(np.mean(found, axis=0))


def surface_features(entries: list[dict | None], remark: str) -> tuple[list[str], np.ndarray]:
    """Names and values of the features of scans; NaN where there is none."""
    names = [*LOWER, *(f'log10 {name}' for name in VOLUMES)]
    rows = [
        [one[name] for name in LOWER] + [np.log10(max(one[name], LEAST_FREE_VOLUME)) for name in VOLUMES]
        if one
        else [np.nan] * len(names)
        for one in entries
    ]
    return [f'{name}, {remark}' for name in names], np.array(rows, dtype=float)


def composition_features(structures: list[Structure]) -> tuple[list[str], np.ndarray]:
    """Those of Ward et al., npj Comput. Mater. 2, 16028 (2016)."""
    featurizers = (
        of_composition.ElementProperty.from_preset('magpie'),
        of_composition.Stoichiometry(),
        of_composition.ValenceOrbital(),
    )
    names = [label for one in featurizers for label in one.feature_labels()]
    rows = [
        [value for one in featurizers for value in one.featurize(structure.composition.element_composition)]
        for structure in structures
    ]
    return names, np.array(rows, dtype=float)


def rankings(materials: Materials) -> dict[str, np.ndarray]:
    """Ranking by numbers that need no training -> (n,) values; Xi of the first assessment is the reference."""
    found = {}
    for name, entries in materials.entries.items():
        if all(entries):
            found[f'{name}: xi'] = np.array([one['xi'] for one in entries])
    return found | {'random': np.random.default_rng(0).random(len(materials.names))}


def probabilities(materials: Materials) -> dict[str, np.ndarray]:
    """Model -> (n,) probabilities of good conductors, by models that have not seen the group."""
    reference, entries = next(iter(materials.entries.items()))
    surfaces = {name: surface_features(entries, name) for name, entries in materials.entries.items()}
    composition = composition_features(materials.structures)
    models = {
        'share of good ones': (['x'], np.zeros((len(entries), 1))),
        f'{reference}: xi': (['xi'], np.log10([[max(one['xi'], 1e-9)] for one in entries])),
    }
    models |= {f'surface, {name}': features for name, features in surfaces.items()}
    if len(surfaces) > 1:
        models['all surfaces'] = _joined(*surfaces.values())
    models |= {'composition': composition, 'composition and surface': _joined(surfaces[reference], composition)}
    found = {}
    for name, (names, values) in models.items():
        training = TrainingSet(materials.names, materials.groups, names, values, materials.good, materials.bad)
        found[f'probability by {name}'] = nested_predictions(training, TrainingSettings('logistic_monotone'))
    return found


def _joined(*features: tuple[list[str], np.ndarray]) -> tuple[list[str], np.ndarray]:
    return [name for names, _ in features for name in names], np.concatenate([values for _, values in features], axis=1)


def main():
    """Print a table of the models, and what became of their predictions."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('assessments', nargs='+', type=Path, metavar='FOLDER/assessment.json')
    words = 'all sets of labels, each with the classes of its temperature, not 1e-4 S/cm at room temperature'
    parser.add_argument('--pooled', action='store_true', help=words)
    arguments = parser.parse_args()
    materials = read(arguments.assessments, arguments.pooled)
    good, bad, groups = materials.good, materials.bad, materials.groups
    kinds = f'{(good > MEMBERSHIP).sum()} good, {(bad > MEMBERSHIP).sum()} bad'
    print(f'{len(good)} materials, {kinds}, {len(set(groups))} groups')
    ranked, probable = rankings(materials), probabilities(materials)
    reference = next(iter(ranked))
    rows = []
    for one in compare(ranked | probable, reference, good, bad, list(map(str, groups)), SETTINGS):
        interval, paired = f'{one.lower:.2f} to {one.upper:.2f}', one.difference
        difference = (paired.value, f'{paired.lower:+.2f} to {paired.upper:+.2f}', paired.p_corrected)
        quality = [
            function(probable[one.ranking], good, bad)
            for function in (brier_score, log_loss)
            if one.ranking in probable
        ]
        rows.append((one.ranking, one.score, interval, *(difference if paired else ('reference', '', '')), *quality))
    heads = ('', 'score', '95 %', 'difference', '95 %', 'p', 'Brier', 'log loss')
    print(tabulate(rows, heads, floatfmt=('', '.2f', '', '+.2f', '', '.2g', '.3f', '.3f')))
    print('\nshare of good conductors in five bins of equal size: predicted, found')
    for name, values in probable.items():
        bins = reliability(values, good, bad)
        print(f'{name}: ' + '; '.join(f'{one.predicted:.2f}, {one.observed:.2f}' for one in bins))


if __name__ == '__main__':
    main()
