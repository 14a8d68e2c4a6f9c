"""The benchmark: what the integration costs, compared with the alternatives."""
