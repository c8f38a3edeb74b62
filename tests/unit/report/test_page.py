"""The page in a real browser without a network, and what is written into it."""

import base64
import gzip
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from aiida_pesfp.fingerprint.quantities import QUANTITIES
from aiida_pesfp.report.collect import collect
from aiida_pesfp.report.page import write_html
from aiida_pesfp.report.table import columns
from tests.helpers import browser


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
        """const row = document.querySelector('.dt-scroll-head thead tr');
        return [...row.cells].findIndex(cell => cell.textContent.trim().startsWith(arguments[0]));""",
        heading,
    )
    field = driver.execute_script(
        "return document.querySelectorAll('.dt-scroll-head thead tr')[1].cells[arguments[0]].querySelector('input')",
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
        assert shown_keys(driver) == [one.key for one in entries]
        assert driver.find_element('tag name', 'h1').text == 'Fast-ion screening: <crystals>'
        drawn = driver.execute_script("return document.querySelectorAll('#xi-map .points path.point').length")
        assert drawn == len(entries)

    def test_the_table_sorts(self, driver, page, entries):
        browser.open_page(driver, page)
        for heading, value in (('MPE', lambda one: one['mpe']), ('FV disc.', lambda one: one['fv_disconnected'])):
            ordered = [value(one) for one in sorted(entries, key=value)]
            by_key = {one.key: value(one) for one in entries}
            for wanted in (ordered, ordered[::-1]):
                driver.execute_script(
                    """[...document.querySelectorAll('.dt-scroll-head thead tr:first-child th')]
                    .find(cell => cell.textContent.trim().startsWith(arguments[0])).click()""",
                    heading,
                )
                assert [by_key[key] for key in shown_keys(driver)] == wanted
        assert severe(driver) == []

    def test_the_table_filters_and_the_map_follows(self, driver, page, entries):
        browser.open_page(driver, page)
        type_into_filter(driver, 'Structure', 'LiCl')
        assert shown_keys(driver) == ['LiCl']
        place = [one.key for one in entries].index('LiCl')
        selected = driver.execute_script(
            "return document.getElementById('xi-map').data.find(trace => trace.type === 'scatter').selectedpoints"
        )
        assert selected == [place]
        browser.open_page(driver, page)
        wanted = entries[1]
        type_into_filter(driver, 'MPE', repr(wanted['mpe']))
        assert shown_keys(driver) == [one.key for one in entries if one['mpe'] == wanted['mpe']]
        assert severe(driver) == []

    def test_a_structure_opens_with_its_view_in_space(self, driver, page, entries):
        place = next(place for place, one in enumerate(entries, start=1) if one.key == 'LiI')
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
        text = driver.find_element('id', 'details').text
        for source in (
            entries[place - 1].source,
            entries[place - 1].surface,
            entries[place - 1].transport[0].source,
        ):
            assert f'verdi node show {source.uuid}' in text
        with_surface = self.image_of_view(driver)
        driver.execute_async_script(
            """const done = arguments[0], view = document.querySelector('[data-figure=structure]');
            const mesh = view.data.findIndex(trace => trace.type === 'mesh3d');
            Plotly.restyle(view, { visible: false }, [mesh]).then(() => done());"""
        )
        without = self.image_of_view(driver)
        # The isosurface is red; what else is in the view is violet, grey or black.
        assert self.red(with_surface) > 500
        assert self.red(without) < 0.1 * self.red(with_surface)
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
    def red(image):
        """Number of reddish pixels right of the legend."""
        r, g, b = image[:, 180:].transpose(2, 0, 1)
        return int(((r - g > 40) & (r - b > 40)).sum())


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
    titles, number = [column.title for column in found], len(QUANTITIES)
    assert titles[:4] == ['Ξ', 'MPE', 'FV conn.', 'FV disc.']
    assert titles[number : number + 2] == ['E_A, walk', '\N{GREEK SMALL LETTER SIGMA}(300 K), walk']
    assert len(found) == number + 5
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
