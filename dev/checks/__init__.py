"""Checks of the project that neither hassfest nor HACS make, without the network.

They use schemas and icons of the installed Home Assistant package.
"""
