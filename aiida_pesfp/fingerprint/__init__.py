"""The science of the paper: from a crystal structure to its potential energy surface, level maps and descriptors."""
