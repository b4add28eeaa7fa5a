"""`./cli.py top`: what the actors of a session do, from shared memory and /proc alone; no process is asked anything."""
