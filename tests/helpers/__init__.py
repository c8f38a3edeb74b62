"""What several tests share: crystals, trajectories, servers, calculators that fail, a stand-in for SIESTA."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / 'tests' / 'data'
#: Reference data outside the project, some of it by others, which may not be there.
SHARED = Path(os.environ.get('PESFP_SHARED', REPOSITORY.parent / 'shared'))
