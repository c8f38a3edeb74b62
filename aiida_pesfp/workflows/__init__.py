"""Workchains. Each reads like the flow chart of the paper; its numbers stand in ``protocols/``."""
