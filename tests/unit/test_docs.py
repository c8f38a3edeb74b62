"""The documentation: the site is built without a warning, and what its pages and the README name exists."""

import ast
import re
import runpy
from importlib import metadata
from pathlib import Path

import click
import pytest
import yaml

from aiida_pesfp.potentials.catalogue import catalogue
from tests.helpers import REPOSITORY
from tests.helpers.documentation import DOCS, README, blocks, build

PAGES = [README, REPOSITORY / 'CONTRIBUTING.md', *sorted(DOCS.rglob('*.md'))]
REFERENCE = DOCS / 'reference'


@pytest.mark.timeout(1800)  # on a busy machine
def test_site_is_built_without_a_warning(tmp_path):
    """The notebooks are run by ``tests/integration/test_docs.py``."""
    site = build(tmp_path, '-D', 'nb_execution_mode=off')
    pages = {path.relative_to(DOCS).with_suffix('') for path in [*DOCS.rglob('*.md'), *DOCS.rglob('*.rst')]}
    assert {path for path in pages if not (site / path).with_suffix('.html').exists()} == set()


def test_exit_codes_are_those_of_the_processes():
    """Every exit code has its advice, every advice its exit code, and the page is up to date."""
    script = runpy.run_path(str(REFERENCE / 'exit_codes.py'))
    assert script['page']() == script['PAGE'].read_text(), 'run python docs/reference/exit_codes.py'


@pytest.mark.parametrize('group', ['aiida.data', 'aiida.calculations', 'aiida.workflows'])
def test_reference_names_every_node_type_and_process(group):
    pages = runpy.run_path(str(REFERENCE / 'generate.py'))['pages']()
    text = pages['nodes.rst'] + pages['processes.rst']
    points = metadata.distribution('aiida-pesfp').entry_points.select(group=group)
    assert [point.name for point in points if f'\n{point.name}\n' not in text] == []


def test_reference_names_every_known_potential():
    text = runpy.run_path(str(REFERENCE / 'generate.py'))['pages']()['potentials.rst']
    names = [name for row in catalogue() for name in row.names]
    assert re.findall(r'\* - ``(.*)``', text) == names


@pytest.mark.parametrize('page', [page for page in PAGES if blocks(page, 'python')], ids=lambda page: page.stem)
def test_imports_of_snippets(page):
    """Each snippet is valid Python, and what it imports from this package exists."""
    for text in blocks(page, 'python'):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith('aiida_pesfp'):
                exec(ast.unparse(node), {})


def command_lines(page: Path) -> list[list[str]]:
    """The words of each line of a page that calls one of our commands."""
    lines = '\n'.join([*blocks(page, 'bash'), *re.findall(r'%%bash\n(.*?)```', page.read_text(), re.DOTALL)])
    lines = re.sub(r'\s#.*', '', lines.replace('\\\n', ' ')).splitlines()
    return [line.split() for line in lines if re.match(r'\s*(aiida-pesfp|pesfp-\w+) ', line)]


@pytest.mark.parametrize('page', [page for page in PAGES if command_lines(page)], ids=lambda page: page.stem)
def test_commands_and_options_exist(page):
    scripts = {point.name: point for point in metadata.distribution('aiida-pesfp').entry_points}
    for program, *words in command_lines(page):
        command = scripts[program].load()
        while isinstance(command, click.Group):
            name = words.pop(0)
            command = command.get_command(click.Context(command), name)
            assert command is not None, f'{program} has no {name}'
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if re.match(r'--?[A-Za-z]', word)} <= known, f'{program} {" ".join(words)}'


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_files_that_a_page_names_exist(page):
    """In the repository, in the package, or in the part of the package that the page is about."""
    named = set(re.findall(r'`(?:python )?([\w/]+/\w+\.(?:py|sh|yaml|txt))\b[^`]*`', page.read_text()))
    named = {name for name in named if not re.search('NAME|FAMILY', name)}
    folders = [REPOSITORY, REPOSITORY / 'aiida_pesfp', REPOSITORY / 'docs']
    assert {name for name in named if not any((folder / name).exists() for folder in folders)} == set()


def test_open_project_files_are_valid():
    """YAML that other services read, with the same version and the same address as the package."""
    from aiida_pesfp import __version__

    files = [*(REPOSITORY / '.github').rglob('*.yml'), REPOSITORY / '.readthedocs.yml', REPOSITORY / 'CITATION.cff']
    content = {path.name: yaml.safe_load(path.read_text()) for path in files}
    recipe = yaml.safe_load((REPOSITORY / 'conda-recipe' / 'recipe.yaml').read_text())
    registry = yaml.safe_load((REFERENCE / 'registry.yaml').read_text())['aiida-pesfp']
    assert content['CITATION.cff']['version'] == recipe['context']['version'] == __version__
    urls = dict(line.split(', ') for line in metadata.metadata('aiida-pesfp').get_all('Project-URL'))
    assert content['CITATION.cff']['repository-code'] == registry['code_home'] == urls['Source']


def test_conda_recipe_has_the_requirements_of_the_package():
    recipe = yaml.safe_load((REPOSITORY / 'conda-recipe' / 'recipe.yaml').read_text())
    conda = {requirement.split()[0] for requirement in recipe['requirements']['run']} - {'python'}
    renamed = {'matplotlib': 'matplotlib-base', 'torch': 'pytorch'}
    ours = {
        re.match(r'[\w.-]+', requirement).group()
        for requirement in metadata.requires('aiida-pesfp')
        if 'extra ==' not in requirement
    }
    assert conda == {renamed.get(name, name) for name in ours}
    scripts = metadata.distribution('aiida-pesfp').entry_points.select(group='console_scripts')
    assert set(recipe['build']['python']['entry_points']) == {f'{point.name} = {point.value}' for point in scripts}
