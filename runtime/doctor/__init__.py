"""`./cli.py doctor`: whether this machine and a configuration are fit for a session, before there is one."""
