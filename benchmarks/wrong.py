"""The materials that every descriptor gets wrong, and their pictures, from what ``assess.py`` left.

Run ``python benchmarks/wrong.py FOLDER/*/0.5/assessment.json``, the first that of the reference: its values are
printed and its surfaces drawn. A material is judged by all quantities of all files. Its *percentile* is the share of
the other class in its own set of labels that a ranking puts below it, half of those of the same value included, so
that sets with many and with few good conductors compare. A ranking has a material *wrong* if it puts a good conductor
below half of the bad ones, or a bad one above half of the good ones. The worst *false negatives* and *false positives*
are wrong in the largest share of all rankings; among these, the mean percentile decides. Only materials that all files
with their set have are judged.
"""

import argparse
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image, ImageOps
from pymatgen.core import Composition
from scipy.stats import rankdata
from tabulate import tabulate

from aiida_pesfp.assessment.scores import MEMBERSHIP
from aiida_pesfp.fingerprint.quantities import QUANTITIES
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.report.colours import LINE
from aiida_pesfp.report.plots.matplotlib import draw
from aiida_pesfp.report.view import StructureView, structure_view
from aiida_pesfp.settings.descriptors import DescriptorSettings

#: Compositions whose atomic fractions differ by no more than this are taken as one: samples of one solid solution.
ALIKE = 0.03
KINDS = {'bad': 'false positives: bad conductors', 'good': 'false negatives: good conductors'}
FIGURES = {'bad': 'wrong-positives.png', 'good': 'wrong-negatives.png'}


@dataclass(frozen=True)
class Judged:
    """A good or a bad conductor, and where the rankings put it.

    :param name: of its set of labels, in which it has the ``key``.
    :param materials: its entry in each file, that of the reference first.
    :param percentile: mean over the rankings.
    :param nearest: to what was measured: the highest percentile of a good conductor, the lowest of a bad one.
    :param wrong: number of ``rankings`` that have it wrong.
    """

    name: str
    key: str
    materials: list[dict]
    kind: str
    percentile: float
    nearest: float
    wrong: int
    rankings: int

    @property
    def material(self) -> dict:
        """The entry of the reference."""
        return self.materials[0]


def rankings_of(files: list[dict[str, dict]], keys: list[str]) -> np.ndarray:
    """(rankings, materials) ranks from 1, the best material the highest; each order of the materials once.

    :param files: of each file, the materials of one set by key.
    """
    found = []
    for materials in files:
        for quantity in QUANTITIES:
            values = [materials[key].get(quantity.name) for key in keys]
            if None not in values:
                found.append(rankdata(values if quantity.better == 'higher' else np.negative(values)))
    return np.unique(found, axis=0)


def judge(name: str, files: list[dict[str, dict]]) -> list[Judged]:
    """The good and the bad conductors among the materials of a set that all files have; none if a class is empty.

    :param files: of each file, the materials by key, those of the reference first.
    """
    first = files[0]
    keys = [key for key in first if all(key in materials for materials in files)]
    members = {kind: [n for n, key in enumerate(keys) if first[key][f'{kind}_weight'] > MEMBERSHIP] for kind in KINDS}
    if not all(members.values()):
        return []
    ranks, judged = rankings_of(files, keys), []
    for kind, other in ('good', 'bad'), ('bad', 'good'):
        for index in members[kind]:
            own, others = ranks[:, [index]], ranks[:, members[other]]
            percentiles = ((others < own) + 0.5 * (others == own)).mean(axis=1)
            nearest, wrong = (max, percentiles < 0.5) if kind == 'good' else (min, percentiles > 0.5)
            numbers = float(percentiles.mean()), float(nearest(percentiles)), int(wrong.sum()), len(ranks)
            key = keys[index]
            judged.append(Judged(name, key, [materials[key] for materials in files], kind, *numbers))
    return judged


def worst(judged: Iterable[Judged], kind: str, number: int) -> list[Judged]:
    """The conductors of a kind that most rankings have wrong, by the share of these, then by the percentile.

    Of :func:`alike` compositions, in one set or in several, only the worst is taken.
    """
    sign, chosen = {'good': 1, 'bad': -1}[kind], []
    those = (one for one in judged if one.kind == kind)
    for one in sorted(those, key=lambda one: (-one.wrong / one.rankings, sign * one.percentile, one.name, one.key)):
        if not any(alike(one.material['formula'], other.material['formula']) for other in chosen):
            chosen.append(one)
    return chosen[:number]


def alike(formula: str, other: str) -> bool:
    """Whether all atomic fractions are the same within :data:`ALIKE`."""
    first, second = (Composition(one).fractional_composition for one in (formula, other))
    return first.almost_equals(second, rtol=0, atol=ALIKE)


def measured(material: dict) -> str:
    """Its conductivities: the only one, or the lowest and the highest, S/cm."""
    values = {one['conductivity']: f'{one["limit"] or ""}{one["conductivity"]:.2g}' for one in material['values']}
    return ' to '.join(values[one] for one in dict.fromkeys((min(values), max(values))))


def temperature(material: dict) -> str:
    """That of its conductivities."""
    return f'{material["values"][0]["temperature"]:g} K'


def view_of(folder: Path) -> StructureView:
    """The crystal of a finished scan, and all that its easiest ion reaches below the threshold of Xi.

    :param folder: of :mod:`aiida_pesfp.programs.scan`, with ``pes.npz`` and ``descriptors.json``.
    """
    surface = PotentialEnergySurface.load(folder / 'pes.npz')
    ions, settings = json.loads((folder / 'descriptors.json').read_text())['ions'], DescriptorSettings()
    easiest = min(ions, key=lambda ion: (ion['barrier_1d'], ion['mpe'], ion['index']))
    return structure_view(surface, easiest['index'], settings.xi.threshold, settings.neighbours)


def rendered(figure: Figure, dpi: int) -> Image.Image:
    """A figure as pixels, without what is white around it."""
    content = io.BytesIO()
    figure.savefig(content, dpi=dpi, bbox_inches='tight')
    image = Image.open(content).convert('RGB')
    return image.crop(ImageOps.invert(image).getbbox())


def picture(view: StructureView) -> Image.Image:
    """A square picture without a legend."""
    figure = draw(view)
    axes = figure.axes[0]
    axes.get_legend().remove()
    # Of the same size as before, but with so much space around it that no corner of a cell is cut off.
    figure.set_size_inches(2 * figure.get_size_inches())
    axes.set_box_aspect(np.ptp(view.box.reshape(-1, 3), axis=0), zoom=0.55)
    return ImageOps.pad(rendered(figure, 160), (560, 560), color='white')


def folder_of(one: Judged, assessment: Path) -> Path:
    """Where the scan of a material lies, or that of the first of its orderings.

    It may be that of another set, because a structure that several sets have is scanned once.
    """
    names = [one.name, *sorted(path.parent.name for path in assessment.parent.glob('*/results'))]
    paths = [assessment.parent / name / 'results' / key for name in names for key in (one.key, f'{one.key}_0')]
    return next(path for path in paths if (path / 'pes.npz').exists())


def draw_sheet(chosen: list[Judged], assessment: Path, path: Path) -> None:
    """The pictures of some materials in rows of five, with the formula, the set, the id and what was measured."""
    rows = -(-len(chosen) // 5)
    figure = Figure((8, 2.3 * rows), layout='constrained')
    panels = figure.subplots(rows, 5, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for number, (one, axes) in enumerate(zip(chosen, panels), start=1):
        view = view_of(folder_of(one, assessment))
        axes.imshow(picture(view))
        formula = re.sub(r'([\d.]+)', r'$_{\1}$', one.material['formula'])
        values = f'{measured(one.material)} S/cm, {temperature(one.material)}'
        axes.set_title(f'{number}. {formula}\n{one.name} {one.key}\n{values}', fontsize=7.5)
        dot = {'ls': '', 'marker': 'o', 'mec': LINE, 'mew': 0.3}
        elements = [Line2D([], [], c=atoms.colour, label=atoms.symbol, **dot) for atoms in view.atoms]
        place = {'loc': 'upper center', 'bbox_to_anchor': (0.5, 0), 'borderpad': 0, 'columnspacing': 0.7}
        look = {'fontsize': 7.5, 'markerscale': 0.8, 'handlelength': 1, 'handletextpad': 0.1, 'frameon': False}
        axes.legend(handles=elements, ncols=len(elements), **place, **look)
    sheet = ImageOps.expand(rendered(figure, 200), 12, 'white')
    # A palette takes a quarter of the space; an octree keeps the colours of rare elements.
    sheet.quantize(256, Image.Quantize.FASTOCTREE).save(path, optimize=True)


def row_of(one: Judged) -> tuple:
    """Its row in the table."""
    measurement = measured(one.material), temperature(one.material)
    energies = ', '.join(f'{entry["mpe"]:.2f}' for entry in one.materials)
    numbers = one.material['xi'], energies, one.percentile, one.nearest, f'{one.wrong} of {one.rankings}'
    return one.name, one.key, one.material['formula'], *measurement, *numbers


def main():
    """Print both tables, and draw their materials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('assessments', nargs='+', type=Path, metavar='FOLDER/assessment.json')
    parser.add_argument('--number', type=int, default=10, help='of false positives, and of false negatives')
    parser.add_argument('--figures', type=Path, help='folder for the sheets of pictures')
    arguments = parser.parse_args()
    contents = [json.loads(path.read_text()) for path in arguments.assessments]
    judged, numbers = [], []
    for name in contents[0]['sets']:
        of_set = judge(name, [content['sets'][name]['materials'] for content in contents if name in content['sets']])
        judged += of_set
        kinds = [one.kind for one in of_set]
        numbers.append((name, kinds.count('good'), kinds.count('bad'), of_set[0].rankings if of_set else 0))
    print(f'Potentials and settings: {"; ".join(content["potential"] for content in contents)}\n')
    print(tabulate(numbers, ('set', 'good', 'bad', 'different rankings')))
    heads = ('', 'set', 'id', 'formula', 'S/cm', 'at', 'Xi', 'MPE/eV, each file', 'percentile', 'nearest', 'wrong in')
    for kind, title in KINDS.items():
        chosen = worst(judged, kind, arguments.number)
        rows = [(number, *row_of(one)) for number, one in enumerate(chosen, start=1)]
        wrong = [one.wrong / one.rankings for one in judged if one.kind == kind]
        most, every = (sum(share >= least for share in wrong) for least in (0.75, 1))
        print(f'\nThe worst {title}; of {len(wrong)}, {every} are wrong in all rankings, {most} in three quarters')
        print(tabulate(rows, heads, floatfmt=('', *[''] * 5, '.4f', '', '.2f', '.2f', ''), disable_numparse=[4, 7]))
        if arguments.figures:
            draw_sheet(chosen, arguments.assessments[0], arguments.figures / FIGURES[kind])


if __name__ == '__main__':
    main()
