"""One pass over one object of each kind, under its lease: read what is wanted, let the steps work, write what was seen."""
