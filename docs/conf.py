"""Sphinx: ``sphinx-build -W -n docs OUTPUT`` builds the site.

The pages are Markdown and can be read without it. ``reference/generate.py`` writes the reference from the code before
each build. The notebooks run in an AiiDA profile of their own; ``-D nb_execution_mode=off`` does not run them.
"""

import os
import sys
import tempfile
from pathlib import Path

# The user's own AiiDA configuration stays untouched; the notebooks inherit this one.
os.environ['AIIDA_PATH'] = tempfile.mkdtemp(prefix='pesfp-docs-')
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ['PATH'] = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])  # pesfp-scan and others
os.environ['PYTHONWARNINGS'] = 'ignore'
os.environ['TQDM_DISABLE'] = '1'
sys.path.insert(0, str(Path(__file__).parent / 'reference'))

import generate
from aiida.manage.configuration import load_profile
from aiida.storage.sqlite_temp import SqliteTempBackend

import aiida_pesfp

# The directives of AiiDA want a profile.
load_profile(SqliteTempBackend.create_profile('docs'), allow_switch=True)

project = 'aiida-pesfp'
author = 'The aiida-pesfp developers'
version = release = aiida_pesfp.__version__

extensions = ['myst_nb', 'sphinx.ext.autodoc', 'sphinx.ext.viewcode', 'sphinx_click', 'aiida.sphinxext']
myst_enable_extensions = ['colon_fence', 'dollarmath', 'html_image']
myst_heading_anchors = 3

nb_execution_mode = 'force'
nb_execution_timeout = 900  # of a cell, on a busy machine
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_class_signature = 'mixed'

# Other projects' objects are linked where the network can be reached: on Read the Docs, or on request.
if os.environ.get('READTHEDOCS') or os.environ.get('PESFP_DOCS_INTERSPHINX'):
    extensions.append('sphinx.ext.intersphinx')
    intersphinx_mapping = {
        'aiida': ('https://aiida.readthedocs.io/projects/aiida-core/en/latest', None),
        'ase': ('https://ase-lib.org', None),
        'numpy': ('https://numpy.org/doc/stable', None),
        'python': ('https://docs.python.org/3', None),
    }
# With -n every reference to an object of ours has to be resolved.
nitpick_ignore_regex = [
    ('py:.*', r'(?!aiida_pesfp\b).*'),
    ('py:class', r'aiida_pesfp\..*\.(T|Result)'),
]  # type variables

smartquotes = False
highlight_language = 'none'  # blocks without a language are what commands print

html_theme = 'furo'
html_title = f'aiida-pesfp {version}'
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    'source_repository': generate.REPOSITORY_URL,
    'source_branch': 'main',
    'source_directory': 'docs/',
}


def setup(app):
    """Write the generated pages before Sphinx looks for pages."""
    app.connect('builder-inited', lambda app: generate.write(Path(app.srcdir) / 'reference' / 'generated'))
