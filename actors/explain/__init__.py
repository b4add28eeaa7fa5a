"""Why an order was what it was: from the record of a run, each step of its decision, computed again and compared."""
