"""From trajectories to conductivities: files of engines, supercells, transport. Knows neither AiiDA nor torch."""
