"""Authoring: what helps people to write programs: reading, checking, describing, comparing."""
