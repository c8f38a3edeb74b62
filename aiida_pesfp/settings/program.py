"""Options that all programs with a potential share."""

from pathlib import Path

from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting


@dataclass(frozen=True)
class ProgramSettings(Settings):
    """How a program runs: with which potential, on which device, for how long, and where the results go."""

    potential: str = setting('name of a potential, or path of its weights', 'sevennet-0')
    potential_sha256: str | None = setting('refuse a potential whose content has another SHA-256', None)
    trust_weights: bool = setting(
        'load weights even if they run code when they are read (you know who made them)', False
    )
    output: Path | None = setting('folder of the results', None, option=('-o', '--output'))
    device: str = setting("'cpu', 'cuda', 'cuda:1', ...; 'auto' takes a GPU if there is one", 'auto')
    batch_size: int | None = setting(
        'maximum number of configurations in a batch, by default as many as fit into memory', None, gt=0, le=10**6
    )
    time_limit: float | None = setting('save the work and stop after this time', None, unit='s', ge=0)
    checkpoint_interval: float = setting('most work that a kill may cost', 20.0, unit='s', ge=0)
    fresh: bool = setting('discard what an earlier run left in the output folder', False)
    as_json: bool = setting('print one JSON list on standard output and nothing else', False, option='--json')
    quiet: bool = setting('no progress bar', False, option=('-q', '--quiet'))
