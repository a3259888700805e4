"""Converters from published weights to ichdet's bundles. Each is also a script that runs by its path."""
