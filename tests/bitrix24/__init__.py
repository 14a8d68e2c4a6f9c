"""Tests of the library, without Home Assistant."""
