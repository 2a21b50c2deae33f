"""How does each provider say what it says? One file a dialect, and what several share."""
