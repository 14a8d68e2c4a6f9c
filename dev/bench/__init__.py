"""What the integration costs, beside what one would use in its place."""
