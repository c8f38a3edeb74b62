"""Physics of ion transport: from trajectories to diffusion, conductivity and activation energy."""
