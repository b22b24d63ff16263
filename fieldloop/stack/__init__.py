"""The local stack: the parts of Fieldloop on one machine, started, watched and stopped together."""
