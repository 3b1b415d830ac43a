"""The parts of make-models.py."""
