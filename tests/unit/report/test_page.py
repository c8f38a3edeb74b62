"""The page in a real browser without a network, and what is written into it."""

import base64
import gzip
import io
import itertools
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from aiida.orm import Dict, Float, Group, StructureData, load_node
from PIL import Image
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from aiida_pesfp.calculations.transport import conductivity
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.fingerprint.quantities import IN_RANKINGS
from aiida_pesfp.queries.nodes import potential_labels
from aiida_pesfp.report.collect import collect
from aiida_pesfp.report.labels import short
from aiida_pesfp.report.page import write_html
from aiida_pesfp.report.plots.matplotlib import write_figures
from aiida_pesfp.report.table import SIGMA, TOO_SHORT, Cell, columns, distinctions, with_error
from tests.helpers import browser, graph
from tests.helpers.potentials import write_calculator


@pytest.fixture(scope='module')
def driver():
    reason = browser.missing()
    if reason:
        pytest.skip(reason)
    with browser.chromium() as driver:
        yield driver


@pytest.fixture(scope='module')
def entries(group):
    return collect(group).entries


def severe(driver):
    return [entry for entry in driver.get_log('browser') if entry['level'] == 'SEVERE']


def shown_keys(driver):
    return driver.execute_script(
        "return [...document.querySelectorAll('#ranking tbody td:nth-child(2)')].map(cell => cell.textContent)"
    )


def type_into_filter(driver, heading, text):
    """Type into the field below a heading of the ranking, as a user does."""
    number = driver.execute_script(
        """const row = document.querySelector('#ranking thead tr');
        return [...row.cells].findIndex(cell => cell.textContent.trim().startsWith(arguments[0]));""",
        heading,
    )
    field = driver.execute_script(
        "return document.querySelectorAll('#ranking thead tr')[1].cells[arguments[0]].querySelector('input')",
        number,
    )
    field.clear()
    field.send_keys(text)
    return field


class TestInTheBrowser:
    def test_it_opens_without_a_console_error_and_without_asking_anyone(self, driver, page, entries):
        browser.open_page(driver, page)
        assert severe(driver) == []
        names = driver.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
        assert [name for name in names if not name.startswith(('data:', 'blob:'))] == []
        assert shown_keys(driver) == [one.label for one in entries]
        assert driver.find_element('tag name', 'h1').text == 'Fast-ion screening: <crystals>'
        drawn = driver.execute_script("return document.querySelectorAll('#xi-map .points path.point').length")
        assert drawn == len(entries)

    def test_the_table_sorts(self, driver, page, entries):
        browser.open_page(driver, page)
        for heading, value in (('MPE', lambda one: one['mpe']), ('FV disc.', lambda one: one['fv_disconnected'])):
            ordered = [value(one) for one in sorted(entries, key=value)]
            by_key = {one.label: value(one) for one in entries}
            for wanted in (ordered, ordered[::-1]):
                driver.execute_script(
                    """[...document.querySelectorAll('#ranking thead tr:first-child th')]
                    .find(cell => cell.textContent.trim().startsWith(arguments[0])).click()""",
                    heading,
                )
                assert [by_key[key] for key in shown_keys(driver)] == wanted
        assert severe(driver) == []

    def test_the_table_filters_and_the_map_follows(self, driver, page, entries):
        browser.open_page(driver, page)
        type_into_filter(driver, 'Structure', 'LiCl')
        assert shown_keys(driver) == ['LiCl']
        place = [one.label for one in entries].index('LiCl')
        selected = driver.execute_script(
            "return document.getElementById('xi-map').data.find(trace => trace.type === 'scatter').selectedpoints"
        )
        assert selected == [place]
        browser.open_page(driver, page)
        wanted = entries[1]
        type_into_filter(driver, 'MPE', repr(wanted['mpe']))
        assert shown_keys(driver) == [one.label for one in entries if one['mpe'] == wanted['mpe']]
        assert severe(driver) == []

    def test_a_structure_opens_with_its_view_in_space(self, driver, page, entries):
        place = next(place for place, one in enumerate(entries, start=1) if one.label == 'LiI')
        browser.open_page(driver, page)
        driver.find_element('css selector', f'#ranking tbody tr[data-index="{place - 1}"]').click()
        driver.execute_async_script(
            """const done = arguments[0], details = document.getElementById('details');
            const wait = () => details.dataset.open ? done() : setTimeout(wait, 50); wait();"""
        )
        assert driver.execute_script('return location.hash') == f'#structure-{place}'
        heading = driver.find_element('css selector', '#details h2').text
        assert heading.startswith(f'{place}. LiI')
        plots = driver.execute_script(
            """return [...document.querySelectorAll('#details .plot')]
            .map(plot => [plot.dataset.figure, plot.data.length]);"""
        )
        runs = {'msd-1-1000K', 'msd-2-667K', 'msd-3-500K'}
        assert {name for name, _ in plots} == {'structure', 'profile', 'spectrum', 'arrhenius-1'} | runs
        assert all(traces > 0 for _, traces in plots)
        commands = driver.execute_script(
            "return [...document.querySelectorAll('#details button.copy')].map(button => button.dataset.copy)"
        )
        opened = entries[place - 1]
        for source in (opened.source, opened.surface, opened.structure, opened.transport[0].source):
            assert f'verdi node show {source.uuid}' in commands
        with_surface = self.image_of_view(driver)
        driver.execute_async_script(
            """const done = arguments[0], view = document.querySelector('[data-figure=structure]');
            const mesh = view.data.findIndex(trace => trace.type === 'mesh3d');
            Plotly.restyle(view, { visible: false }, [mesh]).then(() => done());"""
        )
        without = self.image_of_view(driver)
        # The isosurface is teal; what else is in the view is violet, green, grey or black.
        assert self.teal(with_surface) > 500
        assert self.teal(without) < 0.1 * self.teal(with_surface)
        assert severe(driver) == []

    @staticmethod
    def image_of_view(driver):
        url = driver.execute_async_script(
            """const done = arguments[0], view = document.querySelector('[data-figure=structure]');
            Plotly.toImage(view, { format: 'png', width: 600, height: 500 }).then(done);"""
        )
        content = base64.b64decode(url.partition(',')[2])
        return np.asarray(Image.open(io.BytesIO(content)).convert('RGB')).astype(int)

    @staticmethod
    def teal(image):
        """Number of pixels between green and blue, right of the legend."""
        r, g, b = image[:, 180:].transpose(2, 0, 1)
        return int(((g - r > 40) & (b - r > 40)).sum())


def test_what_the_page_holds_is_what_the_nodes_say(page, entries):
    text = page.read_text()
    assert text.count('<tr data-index=') == len(entries)
    assert '&lt;crystals&gt;' in text
    assert '<crystals>' not in text
    for place, one in enumerate(entries, start=1):
        assert f'data-order="{one["xi"]!r}"' in text
        packed = re.search(rf'id="payload-{place}">([^<]+)<', text).group(1)
        content = json.loads(gzip.decompress(base64.b64decode(packed)))
        assert f'{one["mpe"]:.3f} eV' in content['html']
        (profile,) = content['figures']['profile']['data']
        assert profile['type'] == 'scatter'


def test_every_number_of_the_table_names_its_node(entries):
    found = columns(entries)
    titles, number = [column.title for column in found], len(IN_RANKINGS) - 1  # there is no calibration
    assert titles[:number] == ['Ξ', 'MPE', 'FV conn.', 'FV disc.']
    assert titles[number:] == ['E\N{LATIN SUBSCRIPT SMALL LETTER A}', f'{SIGMA}(300 K)', f'{SIGMA}(1000 K)']
    assert {column.engine for column in found[number:]} == {'walk'}
    for one in entries:
        for column in found:
            cell = column.cell(one)
            assert (cell.value is None) == (cell.text == '')
            if cell.value is not None:
                assert f'verdi node show {cell.source.uuid}' in cell.origin
        energy = found[number].cell(one)
        if one.activations:
            assert energy.value == 1000 * one.activations[0].fit.activation_energy
            assert energy.source == one.activations[0].source
        else:
            assert energy.value is None


def test_the_same_content_makes_the_same_file(group, page, tmp_path):
    write_html(collect(group), tmp_path / 'again.html')
    assert (tmp_path / 'again.html').read_bytes() == page.read_bytes()


@pytest.fixture(scope='module')
def twenty(group, entries, tmp_path_factory):
    """The page of twenty entries with other free volumes and long names, as those of databases are."""
    rng, found = np.random.default_rng(0), []
    for number in range(20):
        connected = 10 ** rng.uniform(-4, -0.7)
        values = {'fv_connected': connected, 'fv_disconnected': min(2 * connected, 0.6), 'xi': rng.random()}
        label = f'entry {number} of a database, measured by neutrons at room temperature'
        one = entries[number % len(entries)]
        found.append(replace(one, label=label, name=label, values=one.values | values))
    path = tmp_path_factory.mktemp('twenty') / 'twenty.html'
    write_html(replace(collect(group), entries=sorted(found, key=lambda one: -one['xi'])), path)
    return path


def test_the_page_of_twenty_structures_is_light(twenty):
    assert twenty.stat().st_size < 5e6


def test_pages_fit_their_windows_and_labels_do_not_overlap(driver, twenty):
    size = driver.get_window_size()
    try:
        for width in (800, 1440, 2560):
            driver.set_window_size(width, 1200)
            browser.open_page(driver, twenty)
            beyond = 'const page = document.documentElement; return page.scrollWidth - page.clientWidth'
            assert driver.execute_script(beyond) == 0, width
            if width >= 1440:  # a small window scrolls the table alone
                table = "const all = document.querySelector('.scroll'); return all.scrollWidth - all.clientWidth"
                assert driver.execute_script(table) == 0, width
            boxes = driver.execute_script(
                """return [...document.querySelectorAll('#xi-map .textpoint text')]
                .filter(text => text.textContent.trim())
                .map(text => { const box = text.getBoundingClientRect();
                    return [box.left, box.top, box.right, box.bottom].map(Math.round); });"""
            )
            assert len(boxes) > 3
            for one, other in itertools.combinations(boxes, 2):
                apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
                assert apart, (width, one, other)
    finally:
        driver.set_window_size(size['width'], size['height'])


def test_the_keyboard_opens_and_closes_a_structure(driver, page):
    browser.open_page(driver, page)
    driver.find_element('css selector', '#ranking tbody tr[data-index="1"] a').send_keys(Keys.ENTER)
    waited = WebDriverWait(driver, 60)
    waited.until(lambda driver: driver.execute_script('return document.activeElement.tagName') == 'H2')
    assert driver.execute_script('return document.activeElement.textContent').startswith('2.')
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    waited.until(lambda driver: driver.execute_script("return document.getElementById('details').hidden"))
    assert driver.execute_script('return document.activeElement.hash') == '#structure-2'


HOSTILE = {
    'a': "<script>window.harm = 1</script><img src='x' onerror='window.harm = 2'>",
    'b': '=1+1</script><b>$x_{$ %{x}',
    'c': 'Lithium-Sulfid süß 硫化锂 "quoted" & \'single\'',
}


@pytest.fixture(scope='module')
def hostile(potential):
    """A report of structures whose labels are text that browsers, plotly or matplotlib would take for more."""
    structures = graph.structures()
    given = {
        key: StructureData(pymatgen=crystal.get_pymatgen_structure(), label=label).store()
        for (key, label), crystal in zip(HOSTILE.items(), structures.values())
    }
    group = Group(label=HOSTILE['a']).store()
    group.add_nodes(list(graph.scan_here(Dict({'spacing': 0.65}), potential, **given)['descriptors'].values()))
    return collect(group)


def test_labels_are_text_and_nothing_else(driver, hostile, tmp_path):
    assert {one.label for one in hostile.entries} == set(HOSTILE.values())  # and not the keys of the scan
    write_html(hostile, tmp_path / 'hostile.html')
    place = next(place for place, one in enumerate(hostile.entries, start=1) if one.label == HOSTILE['a'])
    browser.open_page(driver, tmp_path / 'hostile.html', f'#structure-{place}')
    assert driver.execute_script('return window.harm') is None
    assert severe(driver) == []
    assert set(shown_keys(driver)) == set(HOSTILE.values())
    assert HOSTILE['a'] in driver.find_element('tag name', 'h1').text
    names = driver.execute_script(
        "return [...document.querySelectorAll('#spectra .legendtext')].map(text => text.textContent)"
    )
    assert set(names) == {short(label) for label in HOSTILE.values()}
    assert write_figures(hostile, tmp_path / 'figures', top=0)


def test_a_short_run_is_no_result_of_the_table(potential, driver, tmp_path):
    structure = graph.structures()['LiCl']
    found = graph.scan_here(Dict({'spacing': 0.65}), potential, LiCl=structure)['descriptors']['LiCl']
    node = conductivity(
        graph.walk(structure, Float(1000.0)), Dict({'species': 'Li', 'unwrapped': True, 'window_ps': 30.0})
    )
    assert 'too_few_windows' in node.flags
    report = collect(found)
    assert (report.structures, report.candidates) == (1, 1)
    (column,) = (one for one in columns(report.entries) if one.engine)
    assert column.cell(report.entries[0]) == Cell(None, TOO_SHORT, report.entries[0].transport[0].source, True)
    write_html(report, tmp_path / 'short.html')
    browser.open_page(driver, tmp_path / 'short.html', '#structure-1')
    number = with_error(node.conductivity, node.conductivity_error)
    table, details = (driver.find_element('id', name).text for name in ('ranking', 'details'))
    assert TOO_SHORT in table
    assert number not in table
    assert number in details
    assert 'run longer' in details


def test_potentials_that_differ_have_a_column_and_a_note(scanned, tmp_path):
    other = PotentialData.from_spec(str(write_calculator(tmp_path / 'other.yaml', sigma=1.9))).store()
    structure = load_node(scanned['descriptors']['LiCl']['structure_uuid'])
    mixed = Group(label='two potentials').store()
    again = graph.scan_here(Dict({'spacing': 0.65}), other, LiCl=structure)['descriptors']['LiCl']
    mixed.add_nodes([scanned['descriptors']['LiCl'], again])
    report = collect(mixed)
    assert report.structures == 1
    assert [one.title for one in distinctions(report.entries)] == ['Potential']
    # The label of the first is that of whichever test has stored the same potential before.
    first = potential_labels()[scanned['descriptors']['LiCl']['potential_sha256']]
    assert {one.name for one in report.entries} == {f'LiCl ({first})', 'LiCl (other)'}
    assert any(note.startswith('The column Potential has') and 'within one of them' in note for note in report.notes)


@pytest.mark.parametrize(
    ('value', 'error', 'text'),
    [
        (453.2, 501.0, '453 ± 501'),
        (4.8612, 0.9137, '4.86 ± 0.91'),
        (8.213e-5, 1.12e-5, '(8.2 ± 1.1) × 10⁻⁵'),  # noqa: RUF001
        (-2.5e-8, 3e-8, '(-2.5 ± 3.0) × 10⁻⁸'),  # noqa: RUF001
        (0.00023, None, '2.3 × 10⁻⁴'),  # noqa: RUF001
        (1.23456e6, 2e5, '(1.23 ± 0.20) × 10⁶'),  # noqa: RUF001
        (0.0, None, '0'),
        (1.5, math.inf, '1.5'),
    ],
)
def test_errors_decide_the_digits(value, error, text):
    assert with_error(value, error) == text


def test_figures_fit_their_columns_on_paper(driver, twenty):
    size = driver.get_window_size()
    try:
        driver.set_window_size(2560, 1200)
        browser.open_page(driver, twenty, '#structure-1')
        driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
        # The width of A4. Browsers print at once: what is drawn later does not count.
        beyond = driver.execute_script(
            """document.querySelector('main').style.width = '1032px';
            dispatchEvent(new Event('beforeprint'));
            const right = element => element.getBoundingClientRect().right;
            return [...document.querySelectorAll('figure canvas, figure .main-svg')]
                .map(drawing => right(drawing) - right(drawing.closest('figure')));"""
        )
        assert len(beyond) >= 4
        assert max(beyond) < 1, beyond
    finally:
        driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})
        driver.set_window_size(size['width'], size['height'])


def test_a_disordered_structure_is_shown_with_its_orderings(potential, tmp_path):
    _, _, members, node = graph.ensemble(potential)
    report, path = collect(node), tmp_path / 'report.html'
    write_html(report, path)
    write_figures(report, tmp_path)
    assert (tmp_path / 'xi-map.png').exists()
    packed = re.search(r'id="payload-1">([^<]+)<', path.read_text()).group(1)
    html = json.loads(gzip.decompress(base64.b64decode(packed)))['html']
    assert 'means over 3 orderings' in html
    assert all(one.label in html for one in members.values())
    assert f'({node.xi_low:.2f} to {node.xi_high:.2f})' in html
