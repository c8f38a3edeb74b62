"""Settings of every step: one dataclass each, with its checks and its command line."""
