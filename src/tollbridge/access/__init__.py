"""Who asks, and may they? Keys, users, roles, sessions."""
