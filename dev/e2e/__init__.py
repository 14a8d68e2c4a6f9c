"""The browser run: uses Home Assistant in a real browser, as a person does."""
