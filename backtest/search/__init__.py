"""Search for parameters over recordings: trials on many processes, judged on time that the search never saw."""
