"""The checks behind scripts/house.py: one module for each kind of question about the source."""
