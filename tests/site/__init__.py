"""The documentation: its commands run, its tables are complete, its links lead somewhere."""
