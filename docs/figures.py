"""Makes the pictures of the README and the gallery: ``python docs/figures.py``; minutes on two cores.

It screens the structures of ``examples/structures`` with SevenNet-0 and the protocol ``paper``, in an AiiDA profile of
its own in a temporary folder, and draws the result with ``aiida-pesfp report``. The parity plot shows the table that
``python benchmarks/table1.py`` printed. The screenshot of the report needs Chromium; without it the old one stays.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

REPOSITORY = Path(__file__).parents[1]
IMAGES = REPOSITORY / 'docs' / 'images'
TABLE1 = REPOSITORY / 'benchmarks' / 'results' / 'table1.txt'
WIDTH = 1200
sys.path.insert(0, str(REPOSITORY))

from tests.helpers import browser  # noqa: E402


def draw_table1(path: Path) -> None:
    """Parity plot of Xi: printed in Table I and Fig. 2 of the paper, and ours with the same potential."""
    rows = [line.split() for line in TABLE1.read_text().splitlines()[2:]]
    figure, (whole, detail) = plt.subplots(1, 2, figsize=(7, 3.4), layout='constrained')
    for kind, marker, colour in (('full', 'o', '#0072b2'), ('adaptive', 's', '#d55e00')):
        points = [(float(row[2]), float(row[3])) for row in rows if row[-1] == kind]
        for axes in (whole, detail):
            axes.plot(*zip(*points, strict=True), marker, color=colour, markersize=5, label=f'{kind} scan', alpha=0.8)
    for axes, limits in ((whole, (-0.05, 1.05)), (detail, (0.935, 0.995))):
        axes.plot(limits, limits, '-', color='grey', linewidth=0.8, zorder=0)
        axes.set(xlim=limits, ylim=limits, aspect='equal', xlabel=r'$\Xi$ printed in the paper', ylabel=r'$\Xi$, ours')
    whole.legend(frameon=False)
    detail.set_title('the upper end', fontsize='medium')
    figure.savefig(path, dpi=160)


def screen(folder: Path) -> Path:
    """Screen the examples in a profile of their own; the folder of the report and its figures."""
    environment = os.environ | {'AIIDA_PATH': str(folder), 'PYTHONWARNINGS': 'ignore'}
    environment['PATH'] = os.pathsep.join([str(Path(sys.executable).parent), environment['PATH']])
    for command in (
        'verdi presto --profile-name figures --non-interactive',
        'aiida-pesfp setup',
        f'aiida-pesfp import folder {REPOSITORY / "examples" / "structures"} -G compounds',
        'aiida-pesfp launch screen compounds --protocol paper',
        'aiida-pesfp report compounds -o report.html --figures figures --top 3',
    ):
        subprocess.run(command.split(), cwd=folder, env=environment, check=True)
    return folder


def in_a_row(paths: list[Path], path: Path, height: int = 640) -> None:
    """Join pictures side by side."""
    pictures = [Image.open(one).convert('RGB') for one in paths]
    pictures = [one.resize((round(one.width * height / one.height), height), Image.LANCZOS) for one in pictures]
    joined = Image.new('RGB', (sum(one.width for one in pictures), height), 'white')
    left = 0
    for one in pictures:
        joined.paste(one, (left, 0))
        left += one.width
    save(joined, path)


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture that is not too wide, which keeps the repository small."""
    picture.thumbnail((WIDTH, 10 * WIDTH), Image.LANCZOS)
    picture.save(path, optimize=True)


def screenshot(report: Path, path: Path, size: tuple[int, int], anchor: str = '') -> None:
    """Take a picture of the report in a browser, of the structure of an ``anchor``."""
    if browser.missing():
        print(f'{browser.missing()}: {path.name} is not made again')
        return
    with browser.chromium() as driver:
        driver.set_window_size(*size)
        browser.open_page(driver, report, anchor)
        driver.save_screenshot(str(path))
    save(Image.open(path).convert('RGB'), path)


def main() -> None:
    """Make all pictures."""
    IMAGES.mkdir(exist_ok=True)
    draw_table1(IMAGES / 'table1.png')
    with tempfile.TemporaryDirectory() as temporary:
        folder = screen(Path(temporary))
        figures = folder / 'figures'
        best = sorted(figures.glob('01-*-structure.png'))[0].name.removesuffix('structure.png')
        in_a_row(
            [figures / f'{best}structure.png', figures / f'{best}profile.png', figures / 'xi-map.png'],
            IMAGES / 'overview.png',
        )
        for name, source in (('structure', best), ('profile', best), ('spectrum', best)):
            save(Image.open(figures / f'{source}{name}.png').convert('RGB'), IMAGES / f'gallery-{name}.png')
        for name in ('xi-map', 'spectra'):
            save(Image.open(figures / f'{name}.png').convert('RGB'), IMAGES / f'gallery-{name}.png')
        screenshot(folder / 'report.html', IMAGES / 'gallery-report.png', (1440, 1350))
        screenshot(folder / 'report.html', IMAGES / 'gallery-details.png', (1440, 900), '#structure-1')


if __name__ == '__main__':
    main()
