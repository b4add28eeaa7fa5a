"""One HTML file that shows a run: plots, statistics, parameters. It needs no network and no other file."""
