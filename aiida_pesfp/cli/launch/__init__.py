"""``aiida-pesfp launch``: its commands, and the options that they share."""
