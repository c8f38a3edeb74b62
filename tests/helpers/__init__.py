"""What several tests share: crystals, trajectories, servers, calculators that fail, a stand-in for SIESTA."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
