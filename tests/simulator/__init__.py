"""Plays Meta against the running services, and knows what their tables must say in the end.

It shares no code with them, so that a mistake in a service cannot hide in the judge of it.
"""
