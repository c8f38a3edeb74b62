"""The probability that a material conducts well at room temperature: models by descriptors, composition, or both.

Run ``python benchmarks/probability.py FOLDER/*/0.5/assessment.json`` on what ``assess.py`` left, the first that of the
reference. Each model predicts materials whose group it has not seen: nested cross-validation by groups, see
``aiida_pesfp/assessment/validation.py``. Good conductors are above 1e-4 S/cm.
"""

import argparse
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from labelled import SETS, read_crystal
from matminer.featurizers import composition as of_composition
from pymatgen.core import Structure
from tabulate import tabulate

from aiida_pesfp.assessment.classes import class_weights
from aiida_pesfp.assessment.comparison import differences
from aiida_pesfp.assessment.features import LEAST_FREE_VOLUME
from aiida_pesfp.assessment.models import TrainingSet
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


def read(paths: list[Path]) -> Materials:
    """The materials of the first assessment; those of one formula and group count once."""
    contents = [json.loads(path.read_text()) for path in paths]
    first, found, structures = contents[0]['sets'], {}, {}
    for name in SETS_USED:
        for key, material in first[name]['materials'].items():
            structures[f'{name} {key}'] = read_crystal(SETS[name].structures / f'{key}.cif')
            found[f'{name} {key}'] = name, key, material
    groups = dict(zip(structures, groups_of(structures, 'Li')))
    kept = {(groups[label], found[label][2]['formula']): label for label in reversed(found)}
    labels = [label for label in found if label in set(kept.values())]
    weights = np.array([weights_of(found[label][2]) for label in labels])
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


def predictions(materials: Materials) -> dict[str, np.ndarray]:
    """Model -> (n,) probabilities or ranks."""
    reference = next(iter(materials.entries))
    surfaces = {name: surface_features(entries, name) for name, entries in materials.entries.items()}
    composition = composition_features(materials.structures)
    every = [np.concatenate(parts, axis=-1) for parts in zip(*surfaces.values())]
    both = [np.concatenate(parts, axis=-1) for parts in zip(surfaces[reference], composition)]
    found = {f'{reference}: xi': np.array([one['xi'] for one in materials.entries[reference]])}
    logit = np.log10([[max(one['xi'], 1e-9)] for one in materials.entries[reference]])
    models = {f'probability by xi, {reference}': (['xi'], logit)}
    models |= {f'monotone, {name}': features for name, features in surfaces.items()}
    models |= {'monotone, all of these': every, 'composition': composition, 'composition and surface': both}
    for name, (names, values) in models.items():
        training = TrainingSet(materials.names, materials.groups, list(names), values, materials.good, materials.bad)
        found[name] = nested_predictions(training, TrainingSettings('logistic_monotone'))
    generator = np.random.default_rng(0)
    return found | {'random': generator.random(len(materials.names))}


def main():
    """Print a table of the models, and what became of their predictions."""
    warnings.simplefilter('ignore')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('assessments', nargs='+', type=Path, metavar='FOLDER/assessment.json')
    materials = read(parser.parse_args().assessments)
    good, bad = materials.good, materials.bad
    print(
        f'{len(good)} materials, {(good > 0.5).sum()} good, {(bad > 0.5).sum()} bad, '
        f'{len(set(materials.groups))} groups'
    )
    found = predictions(materials)
    reference = next(iter(found))
    rows = {one.ranking: one for one in differences(found, reference, good, bad, materials.groups, SETTINGS)}
    base = np.full(len(good), good.sum() / (good + bad).sum())
    shown = []
    for name, values in found.items():
        one = rows.get(name)
        quality = (brier_score(values, good, bad), log_loss(values, good, bad)) if name[0] != 'r' and one else ()
        shown.append(
            (
                name,
                *(
                    (one.score, one.value, f'{one.lower:+.2f} to {one.upper:+.2f}', one.p_corrected)
                    if one
                    else (rows and next(iter(rows.values())).score - next(iter(rows.values())).value, None, None, None)
                ),
                *quality,
            )
        )
    shown.append(
        ('share of good ones', None, None, None, None, brier_score(base, good, bad), log_loss(base, good, bad))
    )
    print(tabulate(shown, ('', 'score', 'difference', '95 %', 'p', 'Brier', 'log loss'), floatfmt='.3f'))
    for name, values in found.items():
        if rows.get(name) and name != 'random':
            print(name, ', '.join(f'{one.predicted:.2f}: {one.observed:.2f}' for one in reliability(values, good, bad)))


if __name__ == '__main__':
    main()
