"""The documentation: its pages, the blocks of code in them, the site."""

import re
import subprocess
import sys
from pathlib import Path

from tests.helpers import REPOSITORY

DOCS = REPOSITORY / 'docs'
README = REPOSITORY / 'README.md'


def build(folder: Path, *options: str) -> Path:
    """Build the site; warnings are errors."""
    command = [sys.executable, '-m', 'sphinx', '-W', '-n', '--keep-going', '-q', '-d', folder / 'trees', *options]
    process = subprocess.run([*command, DOCS, folder / 'site'], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return folder / 'site'


def blocks(path: Path, language: str) -> list[str]:
    """The blocks of code of a page in a language, without indentation."""
    found = re.findall(r'^( *)```(\w*)\n(.*?)^ *```', path.read_text(), re.DOTALL | re.MULTILINE)
    return [
        '\n'.join(line.removeprefix(indent) for line in text.splitlines())
        for indent, of_block, text in found
        if of_block == language
    ]
