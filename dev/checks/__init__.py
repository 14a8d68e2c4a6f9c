"""What hassfest and HACS check, and more, without the network.

Home Assistant's own tools want its source tree or GitHub; these checks want only the
installed package, whose schemas, rules and icons they use.
"""
