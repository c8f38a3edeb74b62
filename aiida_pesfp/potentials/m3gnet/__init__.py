"""The original M3GNet of the paper."""
