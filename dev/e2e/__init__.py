"""What a person does with the mouse, done in a real browser: `scripts/e2e`."""
