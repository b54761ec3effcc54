"""SQLite as Django has it, also from a folder that cannot be written."""
