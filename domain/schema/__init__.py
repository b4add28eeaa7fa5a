"""The records of shared memory, declared once; domain/records.py lists them."""
