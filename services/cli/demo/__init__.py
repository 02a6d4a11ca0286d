"""The demo: a real year of grocery retail through the whole pipeline, and every sum of it checked."""
