"""Front-ends: one folder for each wire protocol that stands on the core."""
