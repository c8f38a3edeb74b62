"""Sphinx: ``sphinx-build -W docs OUTPUT`` makes the site. The pages are Markdown and can be read without it."""

import aiida_pesfp
from aiida_pesfp.fingerprint.quantities import QUANTITIES

project = 'aiida-pesfp'
author = 'the aiida-pesfp developers'
version = release = aiida_pesfp.__version__

extensions = ['myst_parser']
source_suffix = {'.md': 'markdown'}
myst_enable_extensions = ['dollarmath', 'substitution']
myst_substitutions = {
    'quantities': '\n'.join(
        ['| name | symbol | unit | better | meaning |', '|---|---|---|---|---|']
        + [f'| `{one.name}` | {one.symbol} | {one.unit} | {one.better} | {one.meaning} |' for one in QUANTITIES]
    )
}
myst_heading_anchors = 3

highlight_language = 'none'  # blocks without a language are what commands print

html_theme = 'furo'
html_title = f'aiida-pesfp {version}'
html_copy_source = False
html_show_copyright = False
