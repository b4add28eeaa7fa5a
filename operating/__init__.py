"""What the operator types after `./cli.py`, one file for each occasion; cli.py is the list of all verbs."""
